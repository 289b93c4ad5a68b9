//! A world from a seed: callers that come, grow, fall back, leave and get lost; clocks that jump; a process that dies. After every step
//! the accounts are compared with the second book.

use std::collections::BTreeMap;

use tollgate_policy::accounts::{Demand, Entered, Measure, Part, Reserved, RuleSet};
use tollgate_policy::budgets::{Budget, Increase};
use tollgate_policy::limits::{Limit, Rate};
use tollgate_policy::money::NanoUsd;

use super::Run;
use super::book::{self, Book, Line, Role};
use super::cast::{MODELS, TAGS, TEAMS, USERS, Who, budgets, limits};
use super::desk::{Desk, End};
use super::dice::Dice;
use super::planted::Planted;

/// 2026-10-24T20:00:00Z: some hours before Berlin sets its clocks back.
const BEGIN_MS: u64 = 1_792_872_000_000;

pub(crate) struct World {
    dice: Dice,
    pub(crate) desk: Desk,
    pub(crate) book: Book,
    limits: Vec<Limit>,
    budgets: Vec<Budget>,
    /// Every line that there can be, once.
    pub(crate) all: Vec<Line>,
    rules: RuleSet,
    version: u64,
    pub(crate) calls: Vec<Call>,
    /// The clock on the wall; it may go back.
    pub(crate) wall: u64,
    /// The latest that it has shown.
    now: u64,
    next: u64,
    run: Run,
}

/// A call that is under way.
pub(crate) struct Call {
    serial: u64,
    who: Who,
    model: usize,
    entered: Entered,
    reserved: Reserved,
    pub(crate) lines: Vec<Line>,
    held: Demand,
    spent: Demand,
    attempt: Demand,
    expires: u64,
    expired: bool,
}

impl World {
    pub(crate) fn new(seed: u64, planted: Option<Planted>) -> Self {
        let (limits, budgets) = (limits(), budgets());
        let mut all = BTreeMap::new();
        for subject in Who::all().flat_map(|who| (0..MODELS.len()).map(move |model| who.subject(Some(model)))) {
            for part in [Part::Call, Part::Attempt] {
                let lines = book::lines(&limits, &budgets, &subject, part, 0);
                all.extend(lines.into_iter().map(|line| (line.account, line)));
            }
        }
        let mut desk = Desk::new(planted);
        desk.accounts.sweep(BEGIN_MS);
        Self {
            all: all.into_values().collect(),
            dice: Dice::new(seed),
            desk,
            book: Book::default(),
            rules: RuleSet::new(0, limits.clone(), budgets.clone()),
            limits,
            budgets,
            version: 0,
            calls: Vec::new(),
            wall: BEGIN_MS,
            now: BEGIN_MS,
            next: 0,
            run: Run {
                trace: 0xCBF2_9CE4_8422_2325,
                answered: 0,
                crashes: 0,
            },
        }
    }

    /// One thing happens, and the books are compared.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        let event = self.dice.below(100);
        match event {
            0..45 => self.arrive()?,
            45..53 => self.extend()?,
            53..60 => self.switch()?,
            60..80 => self.end(),
            80..90 => self.pass_time(),
            90..93 => self.ship(),
            93..96 => self.edit(),
            96..98 => self.desk.accounts.sweep(self.wall),
            _ => self.crash()?,
        }
        self.note(&[event, self.now, self.calls.len() as u64]);
        self.compare()
    }

    /// Everything ends, and the ledger is added up.
    pub(crate) fn finish(mut self) -> Result<Run, String> {
        self.wall = self.now + 3_600_000;
        self.tick();
        self.compare()?;
        while !self.calls.is_empty() {
            self.end();
        }
        self.compare()?;
        if self.desk.accounts.open_holds() > 0 {
            return Err("a hold stays open".to_owned());
        }
        self.crash()?;
        self.compare()?;
        Ok(self.run)
    }

    fn note(&mut self, values: &[u64]) {
        for value in values {
            self.run.trace = (self.run.trace ^ value).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    pub(crate) fn signed(&self) -> i64 {
        i64::try_from(self.now).unwrap_or(i64::MAX)
    }

    fn lines(&self, who: Who, model: Option<usize>, part: Part) -> Vec<Line> {
        book::lines(&self.limits, &self.budgets, &who.subject(model), part, self.signed())
    }

    fn demand(&mut self) -> Demand {
        let (input, output) = (100 + self.dice.below(4000), 100 + self.dice.below(2000));
        Demand {
            input_tokens: input,
            output_tokens: output,
            money: NanoUsd(i64::try_from(input * 2_500 + output * 10_001).unwrap_or(0)),
        }
    }

    fn arrive(&mut self) -> Result<(), String> {
        let mut below = |bound: usize| usize::try_from(self.dice.below(bound as u64)).unwrap_or(0);
        let who = Who {
            team: below(TEAMS.len()),
            user: below(USERS.len()),
            tag: below(TAGS.len()),
        };
        let model = below(MODELS.len());
        self.next += 1;
        let (serial, request) = (self.next, format!("r{}", self.next));
        let mut lines: Vec<Line> = self.lines(who, None, Part::Call).into_iter().filter(Line::is_call).collect();
        lines.iter_mut().for_each(|line| line.amount = 1);
        let wanted: Vec<_> = lines.iter().map(|line| (line.clone(), 1, 1)).collect();
        let entered = self.desk.enter(self.wall, &self.rules, &who.subject(None));
        self.judge("a call", &wanted, entered.is_ok())?;
        let Ok(entered) = entered else { return Ok(()) };
        lines
            .iter()
            .filter(|line| line.measure == Measure::Requests)
            .for_each(|line| self.book.post(line, 1, serial));

        let demand = self.demand();
        let mut more: Vec<Line> = self
            .lines(who, None, Part::Call)
            .into_iter()
            .filter(|line| !line.is_call())
            .collect();
        more.extend(self.lines(who, Some(model), Part::Attempt));
        more.iter_mut().for_each(|line| line.amount = line.of(demand));
        let wanted: Vec<_> = more.iter().map(|line| (line.clone(), line.amount, line.amount)).collect();
        let expires = self.now + 60_000 + self.dice.below(600_000);
        let subject = who.subject(Some(model));
        let reserved = self
            .desk
            .reserve(self.wall, &self.rules, (&subject, &entered), demand, (&request, expires));
        self.judge("a hold", &wanted, reserved.is_ok())?;
        let Ok(reserved) = reserved else {
            self.desk.refused(entered);
            return Ok(());
        };
        let requests = more.iter().filter(|line| line.measure == Measure::Requests);
        requests.for_each(|line| self.book.post(line, 1, serial));
        self.book.held.insert(serial);
        lines.extend(more);
        self.calls.push(Call {
            serial,
            who,
            model,
            entered,
            reserved,
            lines,
            held: demand,
            spent: Demand::default(),
            attempt: demand,
            expires,
            expired: false,
        });
        Ok(())
    }

    /// One of the calls that can still grow.
    fn growing(&mut self) -> Option<usize> {
        let places: Vec<usize> = (0..self.calls.len())
            .filter(|at| self.calls.get(*at).is_some_and(|call| !call.expired))
            .collect();
        self.dice.pick(&places).copied()
    }

    /// A line as the rules are now: an edit counts for what grows, too.
    fn renewed(&self, call: &Call, line: &Line) -> Line {
        let part = if line.role == Role::Call { Part::Call } else { Part::Attempt };
        let fresh = self
            .lines(call.who, Some(call.model), part)
            .into_iter()
            .find(|other| other.account == line.account);
        let (limit, cap) = fresh.map_or((line.limit, line.cap), |fresh| (fresh.limit, fresh.cap));
        Line {
            limit,
            cap,
            ..line.clone()
        }
    }

    fn extend(&mut self) -> Result<(), String> {
        let Some(at) = self.growing() else { return Ok(()) };
        let Some(call) = self.calls.get(at) else { return Ok(()) };
        let more = Demand {
            input_tokens: 0,
            output_tokens: call.held.output_tokens / 4,
            money: call.held.money.percent(25),
        };
        let grows = |line: &Line| !line.is_call() && line.role != Role::Spent && line.of(more) > 0;
        let lines = call.lines.iter().filter(|line| grows(line));
        let wanted: Vec<_> = lines
            .map(|line| (self.renewed(call, line), line.of(more), line.amount + line.of(more)))
            .collect();
        let grown = self.desk.extend(self.wall, &self.rules, (&call.name(), &call.reserved), more);
        self.judge("a longer stream", &wanted, grown.is_ok())?;
        if grown.is_ok()
            && let Some(call) = self.calls.get_mut(at)
        {
            call.lines
                .iter_mut()
                .filter(|line| grows(line))
                .for_each(|line| line.amount += line.of(more));
            (call.held, call.attempt) = (call.held + more, call.attempt + more);
        }
        Ok(())
    }

    fn switch(&mut self) -> Result<(), String> {
        let Some(at) = self.growing() else { return Ok(()) };
        let mut call = self.calls.remove(at);
        let model = (call.model + 1) % MODELS.len();
        let spent = if self.dice.percent(50) {
            Demand::default()
        } else {
            part(call.attempt, self.dice.below(100))
        };
        let next = self.demand();
        let total = call.spent + spent + next;
        let mut kept: Vec<Line> = Vec::new();
        let mut wanted = Vec::new();
        for line in call
            .lines
            .iter()
            .filter(|line| line.role != Role::Attempt || !matches!(line.measure, Measure::Concurrent))
        {
            let mut line = line.clone();
            match line.role {
                Role::Attempt if !line.is_call() => (line.amount, line.role) = (line.of(spent), Role::Spent),
                Role::Call if !line.is_call() && line.of(total) > line.amount => {
                    line.amount = line.of(total);
                    wanted.push((self.renewed(&call, &line), 0, line.amount));
                }
                _ => {}
            }
            kept.push(line);
        }
        let mut new = self.lines(call.who, Some(model), Part::Attempt);
        new.iter_mut().for_each(|line| line.amount = line.of(next));
        wanted.extend(
            new.iter()
                .map(|line| (line.clone(), if line.measure == Measure::Requests { 1 } else { 0 }, line.amount)),
        );
        // The book looks at the world as it would be: the call with its new lines.
        let before = std::mem::replace(&mut call.lines, kept);
        call.lines.extend(new.iter().cloned());
        let (name, who) = (call.name(), call.who);
        let moved = self.desk.switch(
            self.wall,
            &self.rules,
            (&name, &call.reserved),
            &who.subject(Some(model)),
            (spent, next),
        );
        let serial = call.serial;
        self.calls.insert(at, call);
        self.judge("another attempt", &wanted, moved.is_ok())?;
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if moved.is_err() {
            call.lines = before;
            return Ok(());
        }
        (call.spent, call.attempt, call.model) = (call.spent + spent, next, model);
        call.held.money = call.held.money.max(total.money);
        call.held.output_tokens = call.held.output_tokens.max(total.output_tokens);
        let requests = new.iter().filter(|line| line.measure == Measure::Requests);
        requests.for_each(|line| self.book.post(line, 1, serial));
        Ok(())
    }

    /// A call ends: answered, broken off, or without a cost.
    fn end(&mut self) {
        let places: Vec<usize> = (0..self.calls.len()).collect();
        let Some(at) = self.dice.pick(&places).copied() else { return };
        let call = self.calls.remove(at);
        let kind = match self.dice.below(10) {
            0..6 => End::Answered,
            6..9 => End::Aborted,
            _ => End::Void,
        };
        // Some are a little above the hold.
        let share = if self.dice.percent(20) {
            100 + self.dice.below(30)
        } else {
            self.dice.below(101)
        };
        let last = if kind == End::Void {
            Demand::default()
        } else {
            part(call.attempt, share)
        };
        let actual = call.spent + last;
        for line in &call.lines {
            let used = match (line.measure, line.role) {
                (Measure::Concurrent, _) => continue,
                (Measure::Requests, _) => {
                    self.book.charge(line, i64::from(!call.expired));
                    continue;
                }
                (_, Role::Call) => line.of(actual),
                (_, Role::Attempt) => line.of(last),
                (_, Role::Spent) => line.amount,
            };
            // After an expiry the hold is posted already.
            let amount = if call.expired { used - line.amount } else { used };
            self.book.post(line, amount, call.serial);
            self.book.charge(line, amount);
        }
        self.run.answered += 1;
        let name = call.name();
        self.desk
            .end(self.wall, (&name, call.entered), call.reserved, kind, (actual, call.held));
    }

    fn pass_time(&mut self) {
        let step = match self.dice.below(10) {
            0..4 => self.dice.below(2_000),
            4..7 => self.dice.below(120_000),
            7..9 => self.dice.below(7_200_000),
            _ => self.dice.below(90_000_000),
        };
        // Clocks are set back too.
        self.wall = if self.dice.percent(10) {
            self.wall - step / 2
        } else {
            self.now.max(self.wall) + step
        };
        self.tick();
    }

    fn tick(&mut self) {
        self.now = self.now.max(self.wall);
        for call in self.calls.iter_mut().filter(|call| !call.expired && call.expires <= self.now) {
            call.expired = true;
            for line in call.lines.iter().filter(|line| line.measure != Measure::Concurrent) {
                if line.measure != Measure::Requests {
                    self.book.post(line, line.amount, call.serial);
                }
                self.book.charge(line, line.amount);
            }
        }
        let names: BTreeMap<u64, String> = self.calls.iter().map(|call| (call.reserved.id(), call.name())).collect();
        self.desk.expire(self.wall, |id| names.get(&id).cloned());
    }

    fn ship(&mut self) {
        let length = self.desk.journal.len();
        let to = self.dice.below(length as u64 + 1);
        self.desk.ship(usize::try_from(to).unwrap_or(length));
    }

    /// Amounts change, a team gets more for some hours.
    fn edit(&mut self) {
        let factor = 50 + self.dice.below(150);
        for (limit, fresh) in self.limits.iter_mut().zip(limits()) {
            let scaled = |rate: Option<Rate>| {
                rate.map(|rate| Rate {
                    amount: (rate.amount * factor / 100).max(1),
                    ..rate
                })
            };
            (limit.requests, limit.tokens, limit.input_tokens) = (scaled(fresh.requests), scaled(fresh.tokens), scaled(fresh.input_tokens));
        }
        let from = self.signed() / 1000 + i64::try_from(self.dice.below(3600)).unwrap_or(0);
        for (budget, fresh) in self.budgets.iter_mut().zip(budgets()) {
            budget.amount = fresh.amount.percent(u32::try_from(factor).unwrap_or(100));
            budget.increases = vec![Increase {
                amount: NanoUsd(50_000_000),
                from,
                until: from + 7200,
                ..Increase::default()
            }];
        }
        self.version += 1;
        let new = RuleSet::new(self.version, self.limits.clone(), self.budgets.clone());
        let old = std::mem::take(&mut self.rules);
        self.rules = self.desk.edited(old, new);
    }

    fn crash(&mut self) -> Result<(), String> {
        self.run.crashes += 1;
        // While a process is down its clock goes on: what it had seen is the past.
        self.wall = self.now;
        for call in self.calls.drain(..).filter(|call| !call.expired) {
            for line in call.lines.iter().filter(|line| line.measure != Measure::Concurrent) {
                if line.measure != Measure::Requests {
                    self.book.post(line, line.amount, call.serial);
                }
                self.book.charge(line, line.amount);
            }
        }
        self.book.crash();
        self.desk.crash(self.wall)?;
        self.audit()?;
        // Everybody is asked for, so that every account wakes and is compared.
        for who in Who::all() {
            for model in 0..MODELS.len() {
                let subject = who.subject(Some(model));
                let call = self.rules.scoped(&subject, Part::Call, |_| true);
                let attempt = self.rules.scoped(&subject, Part::Attempt, |_| true);
                self.desk.accounts.headroom(self.wall, &[&call, &attempt]);
            }
        }
        Ok(())
    }
}

impl Call {
    fn name(&self) -> String {
        format!("r{}", self.serial)
    }

    /// True when a line of it is pending.
    pub(crate) fn holds(&self, line: &Line) -> bool {
        match (line.measure, line.role) {
            (Measure::Requests, _) => false,
            // The caller's own place is free when it leaves.
            (Measure::Concurrent, Role::Call) => true,
            _ => !self.expired,
        }
    }
}

/// So many percent of what was estimated.
fn part(demand: Demand, percent: u64) -> Demand {
    Demand {
        input_tokens: demand.input_tokens * percent / 100,
        output_tokens: demand.output_tokens * percent / 100,
        money: demand.money.percent(u32::try_from(percent).unwrap_or(100)),
    }
}
