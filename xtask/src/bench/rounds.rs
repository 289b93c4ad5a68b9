//! The rounds of a run: every scenario on every contender, one after another, then all again. Interleaved, so that a busy moment of the
//! machine falls on all alike, and each round begins with another contender. It never runs two contenders at the same time.

use std::time::{Duration, Instant};

use super::{
    Plan,
    book::Book,
    contender::Contender,
    figures::{FIGURES, Look, Source},
    load::Sample,
    peers::{Peer, Prepared},
    progress,
    scenarios::Scenario,
};

/// A run that would pass this is ended after the round that it is in.
const RUN_MAX: Duration = Duration::from_secs(285);

/// Everything from the first start of a proxy to its last reading.
pub(super) async fn run(plan: &Plan, peers: &[(&'static Peer, Prepared)], book: &mut Book) -> Vec<(&'static str, String)> {
    let begun = Instant::now();
    let mut contenders = vec![Contender::direct(plan.provider)];
    for (peer, prepared) in peers {
        progress(&format!("{}: starting, memory of a fresh process", peer.name));
        match enter(plan, peer, prepared, book).await {
            Ok(contender) => contenders.push(contender),
            Err(reason) => book.note(format!("{} is left out: {reason}", peer.name)),
        }
    }
    let mut longest = Duration::ZERO;
    for round in 0..plan.rounds {
        if RUN_MAX < begun.elapsed() + longest {
            book.note(format!(
                "ended after {round} of {} rounds: a run is bounded to 5 minutes",
                plan.rounds
            ));
            break;
        }
        let start = Instant::now();
        for scenario in &plan.scenarios {
            progress(&format!("round {} of {}: {}", round + 1, plan.rounds, scenario.name));
            one(plan, scenario, &contenders, round, book).await;
        }
        longest = longest.max(start.elapsed());
    }
    for contender in &contenders {
        if let Ok(Some(bytes)) = contender.rss_bytes() {
            put_look(book, Look::LoadedMib, contender.name, 0, bytes as f64 / f64::from(1 << 20));
        }
    }
    contenders
        .iter()
        .map(|contender| (contender.name, contender.version.clone()))
        .collect()
}

/// Looks at fresh processes of a peer, then starts the one that all rounds use.
async fn enter(plan: &Plan, peer: &'static Peer, prepared: &Prepared, book: &mut Book) -> Result<Contender, String> {
    for round in 0..plan.rounds {
        let fresh = Contender::look(peer, prepared, round == 0).await?;
        put_look(book, Look::StartMs, peer.name, round, fresh.start.as_secs_f64() * 1e3);
        put_look(book, Look::IdleMib, peer.name, round, fresh.idle_bytes as f64 / f64::from(1 << 20));
        if let Some(bytes) = fresh.stream_bytes {
            put_look(book, Look::StreamKib, peer.name, round, bytes / 1024.0);
        }
    }
    Contender::start(peer, prepared).await.map(|(contender, _)| contender)
}

fn put_look(book: &mut Book, look: Look, contender: &'static str, round: u32, value: f64) {
    for figure in FIGURES {
        if matches!(figure.source, Source::Process(found) if found == look) {
            book.put(figure.name, contender, round, value);
        }
    }
}

/// One scenario on every contender that can do it.
async fn one(plan: &Plan, scenario: &Scenario, contenders: &[Contender], round: u32, book: &mut Book) {
    let first = usize::try_from(round).unwrap_or_default() % contenders.len().max(1);
    let mut samples: Vec<(&'static str, Sample)> = Vec::new();
    for contender in contenders
        .iter()
        .cycle()
        .skip(first)
        .take(contenders.len())
        .filter(|contender| scenario.suits(contender))
    {
        let sample = match contender.forget_log() {
            Ok(()) => scenario.run(contender, plan.quick).await,
            Err(reason) => Err(reason),
        };
        match sample {
            Ok(sample) => samples.push((contender.name, sample)),
            Err(reason) => book.note(format!(
                "{} has no figure for {} in some round: {reason}",
                contender.name, scenario.name
            )),
        }
    }
    let direct = samples.iter().find(|(name, _)| *name == "direct").map(|(_, sample)| sample);
    let of = |contender: &str| samples.iter().find(|(name, _)| *name == contender).map(|(_, sample)| sample);
    for figure in FIGURES {
        let (name, reading) = match figure.source {
            Source::Scenario(name, reading) => (name, reading),
            Source::More(more, name, reading) if name == scenario.name => {
                let value = |contender| reading.of(of(contender)?, direct, scenario.chunks());
                if let (Some(one), Some(other)) = (value(more.who), value(more.than)) {
                    book.put(figure.name, more.who, round, one - other);
                }
                continue;
            }
            Source::More(..) | Source::Process(_) => continue,
        };
        for (contender, sample) in samples.iter().filter(|_| name == scenario.name) {
            let itself = *contender == "direct" && matches!(reading, super::figures::Reading::Added(_));
            if let Some(value) = reading.of(sample, direct, scenario.chunks()).filter(|_| !itself) {
                book.put(figure.name, contender, round, value);
            }
        }
    }
}
