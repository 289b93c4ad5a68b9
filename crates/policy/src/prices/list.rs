//! The prices that are built in, by provider and model, and under which names a model is found. A row is read when it is asked for: what is
//! kept is where each stands, about 150 KB.

use std::sync::OnceLock;

use super::{Price, row};

const TEXT: &str = include_str!("../../../../catalog/prices.txt");
/// A row for every model of its provider.
const EVERY: &str = "*";
/// What may stand before a model of Bedrock: where it may be served.
const REGIONS: &[&str] = &["us.", "eu.", "apac.", "global.", "jp.", "au.", "us-gov.", "ca."];

/// A list of prices.
#[derive(Debug)]
pub struct PriceList {
    date: &'static str,
    /// Sorted by provider and model.
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    provider: &'static str,
    model: &'static str,
    price: &'static str,
}

impl PriceList {
    /// The list that is part of the program. It is indexed when first asked for.
    pub fn built_in() -> &'static Self {
        static LIST: OnceLock<PriceList> = OnceLock::new();
        LIST.get_or_init(|| Self::index(TEXT))
    }

    /// Indexes a list. Lines that are none are left out; the tests see that the built-in list has no such line.
    pub(super) fn index(text: &'static str) -> Self {
        let mut list = Self {
            date: "",
            rows: Vec::new(),
        };
        let mut provider = "";
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                provider = name;
            } else if let Some(date) = line.strip_prefix("date = ") {
                list.date = date;
            } else if let Some((models, price)) = line.split_once(" = ") {
                let rows = models.split_whitespace().map(|model| Row { provider, model, price });
                list.rows.extend(rows);
            }
        }
        list.rows.sort_by_key(|row| (row.provider, row.model));
        list.rows.shrink_to_fit();
        list
    }

    /// When the prices were taken: an ISO date.
    #[must_use]
    pub fn date(&self) -> &str {
        self.date
    }

    /// How many models have a price, under all their names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no price.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The price of a model that is billed by the token, by the provider's name in the catalog. `None`: it is not known, which is not the
    /// same as free.
    ///
    /// A name is looked for as it is; then without what may stand around it: the provider (`anthropic/…`), Gemini's `models/`, a fine-tune's
    /// owner (`ft:gpt-4o-2024-08-06:acme::1`), the region of a Bedrock model (the dearest region known), a snapshot's date; and last in any case.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<Price> {
        self.find_any(provider, model).filter(Price::prices_tokens)
    }

    /// The same for operations that may be billed by the piece alone.
    #[must_use]
    pub fn find_any(&self, provider: &str, model: &str) -> Option<Price> {
        self.look_up(provider, model).and_then(|text| row::read(self.date, text))
    }

    fn look_up(&self, provider: &str, model: &str) -> Option<&'static str> {
        let own = model.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/'));
        let names = [Some(model), own, model.strip_prefix("models/"), fine_tuned(model)];
        for name in names.into_iter().flatten() {
            let found = self.row(provider, name);
            let found = found.or_else(|| self.of_any_region(provider, name));
            let found = found.or_else(|| self.of_family(provider, name));
            if found.is_some() {
                return found;
            }
        }
        self.in_any_case(provider, model).or_else(|| self.row(provider, EVERY))
    }

    /// Vendors differ in case for the same model ("Kimi-K2.5", "kimi-k2.5").
    fn in_any_case(&self, provider: &str, model: &str) -> Option<&'static str> {
        let same = |row: &&Row| row.provider == provider && row.model.eq_ignore_ascii_case(model);
        self.rows.iter().find(same).map(|row| row.price)
    }

    fn row(&self, provider: &str, model: &str) -> Option<&'static str> {
        let at = self
            .rows
            .binary_search_by(|row| (row.provider, row.model).cmp(&(provider, model)))
            .ok()?;
        self.rows.get(at).map(|row| row.price)
    }

    /// A Bedrock model by the name of another region: the dearest.
    fn of_any_region(&self, provider: &str, model: &str) -> Option<&'static str> {
        if provider != "bedrock" {
            return None;
        }
        let bare = REGIONS.iter().find_map(|region| model.strip_prefix(region)).unwrap_or(model);
        let elsewhere = REGIONS.iter().filter_map(|region| self.row(provider, &format!("{region}{bare}")));
        let known = elsewhere.chain(self.row(provider, bare));
        known.max_by_key(|text| row::read(self.date, text).map(|price| price.text_rates()))
    }

    /// A snapshot by its family, when all snapshots of it that are known cost what the family costs.
    fn of_family(&self, provider: &str, model: &str) -> Option<&'static str> {
        let family = undated(model)?;
        let price = self.row(provider, family)?;
        let from = self.rows.partition_point(|row| (row.provider, row.model) < (provider, family));
        let relatives = self
            .rows
            .iter()
            .skip(from)
            .take_while(|row| row.provider == provider && row.model.starts_with(family));
        let mut snapshots = relatives.filter(|row| undated(row.model) == Some(family));
        snapshots.all(|row| row.price == price).then_some(price)
    }
}

/// The base model of a fine-tuned one: `ft:BASE` of `ft:BASE:owner:name:id`.
fn fine_tuned(model: &str) -> Option<&str> {
    let base = model.strip_prefix("ft:")?.split(':').next()?;
    model.get(.."ft:".len() + base.len())
}

/// A name without the date at its end: `-2024-08-06`, `-20240806`, `@20240806`, or `-latest`.
fn undated(model: &str) -> Option<&str> {
    if let Some(family) = model.strip_suffix("-latest") {
        return Some(family);
    }
    let forms: [&[u8]; 3] = [b"-dddd-dd-dd", b"-dddddddd", b"@dddddddd"];
    forms.into_iter().find_map(|form| {
        let (family, date) = model.split_at_checked(model.len().checked_sub(form.len())?)?;
        let fits = |(byte, wanted): (u8, &u8)| match wanted {
            b'd' => byte.is_ascii_digit(),
            _ => byte == *wanted,
        };
        // Years, not any eight digits.
        let dated = date.get(1..3) == Some("20") && date.bytes().zip(form).all(fits);
        (dated && !family.is_empty()).then_some(family)
    })
}
