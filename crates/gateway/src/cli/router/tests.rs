//! Scores of requests, and training from records: what is labelled how, what is too little, and what malformed lines are told.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use clap::Parser;
use tollgate_policy::complexity::fit::Example;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: RouterCommand,
}

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tollgate-router-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run_line(arguments: &[&str]) -> Result<(), String> {
    let line = Line::try_parse_from(std::iter::once("router").chain(arguments.iter().copied())).unwrap();
    run(line.command)
}

#[test]
fn a_body_and_its_prompt_score_alike_in_every_dialect() {
    let prompt = "Design a lock-free queue in Rust, prove that it is correct, and compare it with one that uses a mutex.";
    let bodies = [
        json!({"model": "x", "messages": [{"role": "user", "content": prompt}]}),
        json!({"model": "x", "max_tokens": 900, "messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}]}),
        json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}),
    ];
    let plain = features(prompt, "").unwrap();
    for body in bodies {
        assert_eq!(features(&body.to_string(), "").unwrap(), plain, "{body}");
    }
    assert_ne!(features(prompt, "translation").unwrap(), plain);
    assert!(features("{\"model\": 7", "").unwrap_err().contains("cannot be read"));
    assert!(features("{\"model\": \"x\"}", "").unwrap_err().contains("no messages"));
}

#[test]
fn a_score_is_told_with_its_reasons() {
    let folder = Folder::new("score");
    let file = folder.file(
        "ask.json",
        r#"{"messages":[{"role":"user","content":"What is the capital of Peru?"}]}"#,
    );
    let arguments = |json| ScoreArguments {
        file: PathBuf::from(&file),
        task: String::new(),
        present: Present {
            weights: None,
            config: None,
        },
        json,
    };
    let told = score(&arguments(false)).unwrap();
    assert!(told.starts_with("simple 0.") && told.contains("\nshort "), "{told}");
    let told: serde_json::Value = serde_json::from_str(&score(&arguments(true)).unwrap()).unwrap();
    assert_eq!((&told["tier"], &told["tier_of_three"]), (&json!("simple"), &json!("simple")));
    assert!(told["reasons"].as_array().unwrap().len() > 2, "{told}");
}

/// A record as the gateway writes it.
fn record(id: usize, tier: &str, features: &serde_json::Value, rest: &str) -> String {
    format!("{{\"request_id\":\"r{id}\",\"complexity\":{{\"tier\":\"{tier}\",\"score\":0.5,\"features\":{features}}}{rest}}}\n")
}

#[test]
fn feedback_becomes_labels() {
    // The tier that answered, what else the record holds, the feedback, the label and its weight.
    let rows = [
        ("simple", "", r#""thumb":"up""#, Some((Tier::Simple, 1.0))),
        ("simple", "", r#""thumb":"down""#, Some((Tier::Complex, 1.0))),
        ("simple", "", r#""score":0.9"#, Some((Tier::Simple, 1.0))),
        ("simple", "", r#""score":0.1"#, Some((Tier::Complex, 1.0))),
        ("simple", "", r#""score":0.5"#, None),
        ("medium", "", r#""thumb":"up""#, Some((Tier::Medium, 1.0))),
        ("medium", "", r#""thumb":"down""#, Some((Tier::Complex, 1.0))),
        ("complex", "", r#""thumb":"up""#, Some((Tier::Complex, 0.25))),
        ("complex", "", r#""thumb":"down""#, None),
        ("complex", "", r#""tier":"simple""#, Some((Tier::Simple, 1.0))),
        ("simple", r#","fallback":"from=a; reason=timeout""#, r#""thumb":"down""#, None),
        (
            "simple",
            r#","fallback":"from=a; reason=timeout""#,
            r#""tier":"medium""#,
            Some((Tier::Medium, 1.0)),
        ),
    ];
    let folder = Folder::new("labels");
    for (answered, rest, said, expected) in rows {
        let records = folder.file("r", &record(1, answered, &json!({"code": 50}), rest));
        let feedback = folder.file(
            "f",
            &format!("{{\"request_id\":\"r1\",{said}}}\n\n{{\"request_id\":\"other\",{said}}}\n"),
        );
        let labelled = labels::read(records.as_ref(), Some(feedback.as_ref())).unwrap();
        let found = labelled.examples.first().map(|Example { tier, weight, .. }| (*tier, *weight));
        assert_eq!(found, expected, "{answered} {rest} {said}");
        assert_eq!((labelled.judged, labelled.feedback, labelled.strangers), (1, 2, 1));
        // The same, said in the record.
        let records = folder.file("r", &record(1, answered, &json!({}), &format!("{rest},\"feedback\":{{{said}}}")));
        let labelled = labels::read(records.as_ref(), None).unwrap();
        assert_eq!(labelled.examples.first().map(|one| (one.tier, one.weight)), expected);
    }
}

#[test]
fn malformed_lines_are_named_with_a_remedy() {
    let good = record(1, "simple", &json!({}), "");
    let rows = [
        (format!("{good}not json\n"), String::new(), ["r:2: not JSON", "--log json"]),
        (
            "{\"complexity\":{}}\n".into(),
            String::new(),
            ["r:1: \"request_id\" is missing", "unchanged"],
        ),
        (
            "{\"request_id\":\"a\",\"complexity\":{\"tier\":\"easy\"}}".into(),
            String::new(),
            ["r:1: complexity.tier", "unchanged"],
        ),
        (
            record(1, "simple", &json!({"code": "x"}), ""),
            String::new(),
            ["r:1: complexity.features.code", "unchanged"],
        ),
        (good.clone(), "{}\n".into(), ["f:1: it says nothing", "\"thumb\""]),
        (
            good.clone(),
            "{\"thumb\":\"up\"}\n".into(),
            ["f:1: \"request_id\" is missing", "name the request"],
        ),
        (
            good.clone(),
            "\n{\"request_id\":\"r1\",\"score\":7}".into(),
            ["f:2: \"score\"", "scale it"],
        ),
        (
            good.clone(),
            "{\"request_id\":\"r1\",\"tier\":\"hard\"}".into(),
            ["f:1: \"tier\"", "one of them"],
        ),
        (
            good,
            "{\"request_id\":\"r1\",\"thumb\":\"sideways\"}".into(),
            ["f:1: no feedback", "write {"],
        ),
    ];
    let folder = Folder::new("malformed");
    for (records, feedback, expected) in rows {
        let (records, feedback) = (folder.file("r", &records), folder.file("f", &feedback));
        let why = labels::read(records.as_ref(), Some(feedback.as_ref())).unwrap_err();
        assert!(expected.iter().all(|part| why.contains(part)), "{why}");
    }
    assert!(labels::read("absent".as_ref(), None).unwrap_err().contains("cannot read absent"));
}

/// An organisation in which whatever speaks of code is hard, and nothing else is.
fn organisation(requests: usize) -> (String, String) {
    let (mut records, mut feedback) = (String::from("{\"event\":\"started\"}\n"), String::new());
    for id in 0..requests {
        let hard = id % 3 == 0;
        let features = match hard {
            true => json!({"code": 50 + id % 50, "lead_simple": 50, "length": id % 90}),
            false => json!({"reason": 50 + id % 40, "length": id % 90, "short_hard": id % 70}),
        };
        let thumb = if hard { "down" } else { "up" };
        records += &record(id, "simple", &features, "");
        feedback += &format!("{{\"request_id\":\"r{id}\",\"thumb\":\"{thumb}\"}}\n");
    }
    (records, feedback)
}

#[test]
fn training_fits_tells_and_writes_only_when_told_to() {
    let folder = Folder::new("train");
    let (records, feedback) = organisation(600);
    let (records, feedback) = (folder.file("r.jsonl", &records), folder.file("f.jsonl", &feedback));
    let out = folder.0.join("own.toml").display().to_string();
    let train = ["train", "--from", &records, "--feedback", &feedback];
    run_line(&train).unwrap();
    assert!(!Path::new(&out).exists());
    run_line(&[&train[..], &["--out", &out]].concat()).unwrap();
    let own = Weights::parse(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let built_in = Weights::built_in().unwrap();
    assert!(
        own.version.starts_with("own-2") && own.figures["two_tiers"] > 0.95,
        "{:?}",
        own.figures
    );
    let code = features("Where is the function of this class?", "").unwrap();
    assert!(own.score(&code) > built_in.score(&code));
    // Applied to the file that the config names; when nothing is gained any more, nothing is written.
    let config = folder.file("tollgate.yaml", "router: { weights: file:own.toml }\n");
    std::fs::write(&out, built_in.file("")).unwrap();
    let apply = [&train[..], &["--apply", "--config", &config]].concat();
    run_line(&apply).unwrap();
    assert_eq!(
        Weights::parse(&std::fs::read_to_string(&out).unwrap())
            .unwrap()
            .each()
            .collect::<Vec<_>>(),
        own.each().collect::<Vec<_>>()
    );
    let written = std::fs::read_to_string(&out).unwrap();
    let again = run_line(&apply);
    assert!(again.is_ok() || again.unwrap_err().contains("no better"));
    assert!(Weights::parse(&written).is_ok());
    let bare = folder.file("bare.yaml", "listen: 127.0.0.1:8080\n");
    let nowhere = run_line(&[&train[..], &["--apply", "--config", &bare]].concat()).unwrap_err();
    assert!(nowhere.contains("--out FILE first"), "{nowhere}");
}

#[test]
fn too_little_data_is_refused_with_the_numbers() {
    let folder = Folder::new("little");
    let (records, feedback) = organisation(199);
    let (records, feedback) = (folder.file("r", &records), folder.file("f", &feedback));
    let why = run_line(&["train", "--from", &records, "--feedback", &feedback]).unwrap_err();
    assert!(
        why.contains("199 labelled requests (132 simple, 0 medium, 67 complex)") && why.contains("at least 200"),
        "{why}"
    );
    let why = run_line(&["train", "--from", &records]).unwrap_err();
    assert!(why.contains("0 labelled requests"), "{why}");
}
