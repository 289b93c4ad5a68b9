//! The requests are valid and of the size they claim; every figure reads a load that exists.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;

use super::*;
use crate::bench::figures::{FIGURES, Source};

#[test]
fn every_request_is_json_of_its_size() {
    let contender = Contender::direct("127.0.0.1:1".parse().unwrap());
    for scenario in SCENARIOS {
        let call = call(&contender, scenario.model, scenario.prompt_bytes).unwrap();
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(body.get("model").and_then(Value::as_str), Some(scenario.model));
        let streamed = matches!(scenario.load, Load::Streams { .. });
        assert_eq!(body.get("stream").is_some(), streamed, "{}", scenario.name);
        let over = call.body.len() - scenario.prompt_bytes;
        assert!(over < 300, "{}: {over} bytes around the prompt", scenario.name);
    }
}

#[test]
fn every_figure_reads_a_load_that_exists_and_every_load_is_read() {
    let read = |name: &str| {
        FIGURES
            .iter()
            .any(|figure| matches!(figure.source, Source::Scenario(scenario, _) if scenario == name))
    };
    for scenario in SCENARIOS {
        assert!(read(scenario.name), "{}", scenario.name);
    }
    for figure in FIGURES {
        if let Source::Scenario(name, _) = figure.source {
            assert!(SCENARIOS.iter().any(|scenario| scenario.name == name), "{name}");
        }
    }
}
