//! Fills the database of an empty data folder, as months of use would: a team, a user, keys and rows of the ledger. For the bench; it prints
//! the text of one key, which opens everything that the team may call. `fill FOLDER KEYS ROWS`

use std::env;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tollgate_policy::key::{self, Peppers, Presented};
use tollgate_policy::ledger::{Ended, Entry, Party, Posting, Settlement, UsageSource};
use tollgate_policy::money::NanoUsd;
use tollgate_store::database::audit::Act;
use tollgate_store::database::ledger::{Ledger, Position};
use tollgate_store::database::objects::{Change, Key, Objects, Secret, Team, User};
use tollgate_store::database::{Database, Source};
use tollgate_store::files::DataDir;
use tollgate_wire::usage::Usage;

const TEAM: &str = "bench";
const USER: &str = "ada@example.com";
/// Whose rows the ledger has.
const SPENDING_TEAMS: u64 = 20;
/// Changes of one transaction.
const CHANGES: usize = 1_000;
/// Rows of one transaction.
const ROWS: u64 = 20_000;
/// Over so long the rows are spread.
const MONTH_MS: u64 = 30 * 86_400_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: fill FOLDER KEYS ROWS");
    let (folder, keys, rows) = (next()?, next()?.parse()?, next()?.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(fill(Path::new(&folder), keys, rows))?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, that has no gateway's clock")]
async fn fill(folder: &Path, keys: u64, rows: u64) -> Result<String, Box<dyn Error>> {
    let data = DataDir::open(folder)?;
    let peppers = data.peppers()?;
    let database = Database::open(&Source::Folder(folder.to_owned())).await?;
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let text = key::make(rand::random(), rand::random());
    let team = Team {
        name: TEAM.to_owned(),
        models: Some(vec!["*".to_owned()]),
        ..Team::default()
    };
    let user = User {
        name: USER.to_owned(),
        team: TEAM.to_owned(),
        ..User::default()
    };
    let mut changes = vec![Change::create("bench-team", &team)?, Change::create("bench-user", &user)?];
    changes.push(stored(&peppers, &text, 0)?);
    for number in 1..keys {
        changes.push(stored(&peppers, &key::make(rand::random(), rand::random()), number)?);
    }
    let act = Act {
        actor: "bench".to_owned(),
        action: "bench.fill".to_owned(),
        ..Act::default()
    };
    for some in changes.chunks(CHANGES) {
        database.mutate(some, &act, i64::try_from(now_ms)?).await?;
    }
    for from in (0..rows).step_by(usize::try_from(ROWS)?) {
        let batch = (from..rows.min(from + ROWS)).map(|row| (Position(1, row as i64), settled(row, rows, now_ms)));
        let batch: Vec<(Position, Entry)> = batch.collect();
        database.apply("bench", &batch, &|_, _| None).await?;
    }
    database.close().await;
    Ok(text)
}

fn stored(peppers: &Peppers, text: &str, number: u64) -> Result<Change, Box<dyn Error>> {
    let Some(Presented::Ours { id, .. }) = Presented::parse(text) else {
        return Err("a key that was just made cannot be read".into());
    };
    let digest = peppers.digest(text);
    let hex = digest.digest.bytes().iter().map(|byte| format!("{byte:02x}"));
    let key = Key {
        name: format!("key {number}"),
        team: TEAM.to_owned(),
        user: Some(USER.to_owned()),
        secrets: vec![Secret {
            digest: hex.collect(),
            pepper_version: digest.version,
            valid_until_s: None,
        }],
        ..Key::default()
    };
    Ok(Change::create(id, &key)?)
}

/// One of so many calls of the last month.
fn settled(row: u64, rows: u64, now_ms: u64) -> Entry {
    let model = format!("vendor/model-{}", row % 7);
    let usage = Usage {
        input: 400 + row % 1_000,
        output: 100 + row % 300,
        ..Usage::default()
    };
    Entry::Settlement(Settlement {
        request: format!("req_{row:012x}"),
        at_ms: now_ms.saturating_sub(MONTH_MS) + MONTH_MS / rows * row,
        party: Party {
            team: format!("team {}", row % SPENDING_TEAMS),
            user: Some(format!("user {}", row % (5 * SPENDING_TEAMS))),
            route: "support".to_owned(),
            ..Party::default()
        },
        ended: Ended::Posted,
        postings: vec![Posting {
            attempt: 1,
            provider: "vendor".to_owned(),
            model,
            usage,
            source: UsageSource::Provider,
            cost: NanoUsd(2_500_000),
            price_version: "config".to_owned(),
        }],
        charges: Vec::new(),
        overrun: false,
        late: false,
    })
}
