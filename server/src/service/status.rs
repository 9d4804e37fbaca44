//! How the workers do, for whoever runs this installation.

use std::fmt::Write as _;

use perennial::calendar::Timestamp;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::duties::KINDS;
use super::test_clocks::CLOCK;
use super::{Engine, Refused, mails, metering, recovering};
use crate::store::failure::SetAside;
use crate::store::lease::{Lease, Process};
use crate::store::mail::{self, Standing};
use crate::store::{due, failure, lease, nouns};

/// What is set aside without being due work of a kind.
const ASIDE_BESIDE_KINDS: [&str; 3] = [recovering::CARD_NEWS, metering::ALERT, metering::THRESHOLD];
/// Rows that are set aside and shown.
const ASIDE_SHOWN_MAX: i64 = 100;

/// The workers at one moment.
#[derive(Clone, Debug)]
pub struct Status {
    /// When it was looked at.
    pub now: Timestamp,
    /// `SQLite` or `Postgres`.
    pub database: &'static str,
    /// Each kind of work, in the order in which a sweep does it.
    pub kinds: Vec<KindStatus>,
    /// What failed by itself, oldest first; at most a hundred.
    pub set_aside: Vec<SetAside>,
    /// The mails.
    pub mail: Standing,
    /// Mails that were dealt with since the beginning, and those that nobody took as they were.
    pub mail_done: (i64, i64),
    /// Who works on what.
    pub leases: Vec<Lease>,
    /// Who works.
    pub processes: Vec<Process>,
    /// Decisions of this process that were made again, and how many of them because of Postgres' 40001.
    pub conflicts: (u64, u64),
}

/// One kind of work.
#[derive(Clone, Debug)]
pub struct KindStatus {
    /// Its name.
    pub name: &'static str,
    /// Rows that are due, set aside ones included; counted to [`due::COUNT_MAX`].
    pub due: i64,
    /// Since when the oldest of them is.
    pub oldest_at: Option<Timestamp>,
    /// When the next row falls due.
    pub next_at: Option<Timestamp>,
    /// Done since the beginning.
    pub done: i64,
    /// Failed since the beginning.
    pub failed: i64,
}

impl KindStatus {
    /// How late the oldest due row is, in seconds.
    #[must_use]
    pub fn lag_seconds(&self, now: Timestamp) -> i64 {
        self.oldest_at
            .map_or(0, |at| now.0.saturating_sub(at.0).max(0))
    }
}

impl Engine {
    /// Looks at the workers of all processes.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn status(&self) -> Result<Status, Refused> {
        let (mut read, now) = (self.store.read().await?, self.now());
        let tallies = failure::tallies(&mut read).await?;
        let mut kinds = Vec::with_capacity(KINDS.len());
        for kind in KINDS {
            let (due, oldest_at) = due::lag(&mut read, &kind.sql, now).await?;
            let (done, failed) = tallies.get(kind.name).copied().unwrap_or_default();
            kinds.push(KindStatus {
                name: kind.name,
                due,
                oldest_at,
                next_at: due::next(&mut read, &kind.sql, now).await?,
                done,
                failed,
            });
        }
        let row = sqlx::query(nouns::TEST_CLOCKS_LAG)
            .bind(now.0)
            .bind(due::COUNT_MAX)
            .fetch_one(&mut *read)
            .await?;
        let moment = |name: &str| row.try_get::<Option<i64>, _>(name);
        let (done, failed) = tallies.get(CLOCK).copied().unwrap_or_default();
        kinds.push(KindStatus {
            name: CLOCK,
            due: row.try_get("n")?,
            oldest_at: moment("due_at")?.map(Timestamp),
            next_at: moment("next_at")?.map(Timestamp),
            done,
            failed,
        });
        Ok(Status {
            now,
            database: match self.store.is_sqlite() {
                true => "SQLite",
                false => "Postgres",
            },
            kinds,
            set_aside: failure::set_aside(&mut read, ASIDE_SHOWN_MAX).await?,
            mail: mail::standing(&mut read, now, ASIDE_SHOWN_MAX).await?,
            mail_done: tallies.get(mails::TALLY).copied().unwrap_or_default(),
            leases: lease::all(&mut read).await?,
            processes: lease::processes(&mut read, self.real_now()).await?,
            conflicts: self.store.conflicts(),
        })
    }
}

impl Status {
    /// The shards of a process.
    fn shards_of(&self, process: &Process) -> usize {
        let holder = Some(process.id.as_str());
        let own = self
            .leases
            .iter()
            .filter(|own| own.holder.as_deref() == holder);
        own.count()
    }

    /// How long the oldest mail that is due has been wanted, in seconds.
    fn mail_lag_seconds(&self) -> i64 {
        let oldest = self.mail.oldest_at;
        oldest.map_or(0, |at| self.now.0.saturating_sub(at.0).max(0))
    }

    /// Who works, for people.
    fn workers_text(&self, text: &mut String) {
        if self.processes.is_empty() {
            let _ = writeln!(text, "Workers      none: nothing is done by itself now");
        }
        for own in &self.processes {
            let (shards, all) = (self.shards_of(own), self.leases.len());
            let id = own.id.get(..8).unwrap_or(&own.id);
            let since = spoken(own.started);
            let _ = writeln!(
                text,
                "Worker       {id}  {shards} of {all} shards, since {since}"
            );
        }
        if self.orphaned() > 0 {
            let _ = writeln!(text, "Unattended   {} shards", self.orphaned());
        }
    }

    /// The mails, for people.
    fn mail_text(&self, text: &mut String) {
        let late = lapse(self.mail_lag_seconds());
        let (due, (done, failed)) = (self.mail.due, self.mail_done);
        let _ = writeln!(
            text,
            "{:<22}{due:>9}{late:>12}{done:>12}{failed:>9}",
            "mail"
        );
        for own in &self.mail.aside {
            let mode = if own.scope.livemode {
                ""
            } else {
                " (test mode)"
            };
            let _ = writeln!(
                text,
                "    {} {} of {}{mode} set aside {}: {}",
                own.kind,
                own.id,
                own.scope.merchant,
                spoken(own.since),
                own.reason
            );
        }
    }

    /// Shards that nobody works on.
    #[must_use]
    pub fn orphaned(&self) -> usize {
        let living = |holder: &str| self.processes.iter().any(|own| own.id == holder);
        let held = |lease: &&Lease| lease.holder.as_deref().is_some_and(living);
        self.leases.len() - self.leases.iter().filter(held).count()
    }

    /// As one JSON object. Moments are UTC seconds since 1970.
    #[must_use]
    pub fn json(&self) -> Value {
        let kinds = self.kinds.iter().map(|kind| {
            json!({
                "kind": kind.name,
                "due": kind.due,
                "lag_seconds": kind.lag_seconds(self.now),
                "next_at": kind.next_at.map(|at| at.0),
                "done": kind.done,
                "failed": kind.failed,
            })
        });
        let aside = self.set_aside.iter().map(|own| {
            json!({
                "kind": own.kind,
                "merchant": own.place.scope.merchant.as_str(),
                "livemode": own.place.scope.livemode,
                "id": own.place.id,
                "reason": own.reason,
                "attempts": own.attempts,
                "since": own.since.0,
                "next_at": (own.next_at != failure::NEVER).then_some(own.next_at.0),
            })
        });
        let mails = self.mail.aside.iter().map(|own| {
            json!({
                "kind": own.kind,
                "merchant": own.scope.merchant.as_str(),
                "livemode": own.scope.livemode,
                "id": own.id,
                "reason": own.reason,
                "since": own.since.0,
            })
        });
        let processes = self.processes.iter().map(|own| {
            json!({
                "id": own.id,
                "started": own.started.0,
                "until": own.until.0,
                "shards": self.shards_of(own),
            })
        });
        json!({
            "now": self.now.0,
            "database": self.database,
            "kinds": kinds.collect::<Vec<_>>(),
            "set_aside": aside.collect::<Vec<_>>(),
            "mail": {
                "due": self.mail.due,
                "lag_seconds": self.mail_lag_seconds(),
                "done": self.mail_done.0,
                "failed": self.mail_done.1,
                "set_aside": mails.collect::<Vec<_>>(),
            },
            "processes": processes.collect::<Vec<_>>(),
            "shards": self.leases.len(),
            "shards_orphaned": self.orphaned(),
        })
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a text can't fail.
        let _ = writeln!(
            text,
            "Database     {}, at {}",
            self.database,
            spoken(self.now)
        );
        self.workers_text(&mut text);
        let _ = writeln!(
            text,
            "\n{:<22}{:>9}{:>12}{:>12}{:>9}  next",
            "work", "due", "late by", "done", "failed"
        );
        for kind in &self.kinds {
            let more = if kind.due >= due::COUNT_MAX { "+" } else { "" };
            let _ = writeln!(
                text,
                "{:<22}{:>9}{:>12}{:>12}{:>9}  {}",
                kind.name,
                format!("{}{more}", kind.due),
                lapse(kind.lag_seconds(self.now)),
                kind.done,
                kind.failed,
                kind.next_at.map_or_else(|| "-".to_owned(), spoken),
            );
        }
        self.mail_text(&mut text);
        if self.set_aside.is_empty() {
            if self.mail.aside.is_empty() {
                let _ = writeln!(text, "\nNothing is set aside.");
            }
            return text;
        }
        let _ = writeln!(
            text,
            "\nSet aside; each is tried again at its time, or all at once by `perennial status --retry`:"
        );
        for own in &self.set_aside {
            let _ = writeln!(
                text,
                "{} {} of {}{}: {}\n    failed {} times since {}; {}",
                own.kind,
                own.place.id,
                own.place.scope.merchant,
                if own.place.scope.livemode {
                    ""
                } else {
                    " (test mode)"
                },
                own.reason,
                own.attempts,
                spoken(own.since),
                match own.next_at == failure::NEVER {
                    true => "it stands still for good, until it is deleted".to_owned(),
                    false => format!("next try {}", spoken(own.next_at)),
                },
            );
        }
        text
    }

    /// What was decided again, for Prometheus.
    fn conflict_metrics(&self, family: &mut impl FnMut(&str, &str, &str, Vec<(String, i64)>)) {
        let (all, unserialisable) = self.conflicts;
        for (name, help, count) in [
            (
                "perennial_decisions_again_total",
                "Decisions that were made again because somebody else was faster.",
                all,
            ),
            (
                "perennial_decisions_unserialisable_total",
                "Those that Postgres asked for, with 40001.",
                unserialisable,
            ),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            family(name, help, "counter", vec![(String::new(), count)]);
        }
    }

    /// The mails, for Prometheus.
    fn mail_metrics(&self, family: &mut impl FnMut(&str, &str, &str, Vec<(String, i64)>)) {
        let one = |n: i64| vec![(String::new(), n)];
        family(
            "perennial_mail_due",
            "Mails that are due, counted to 100000.",
            "gauge",
            one(self.mail.due),
        );
        family(
            "perennial_mail_lag_seconds",
            "How long the oldest mail that is due has been wanted.",
            "gauge",
            one(self.mail_lag_seconds()),
        );
        family(
            "perennial_mail_done_total",
            "Mails that were dealt with.",
            "counter",
            one(self.mail_done.0),
        );
        family(
            "perennial_mail_failed_total",
            "Mails that nobody took as they were.",
            "counter",
            one(self.mail_done.1),
        );
        family(
            "perennial_mail_set_aside",
            "Mails that nobody takes as they are, counted to 100.",
            "gauge",
            one(i64::try_from(self.mail.aside.len()).unwrap_or(i64::MAX)),
        );
    }

    /// In the text format of Prometheus, version 0.0.4.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let mut family = |name: &str, help: &str, kind: &str, rows: Vec<(String, i64)>| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in rows {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let each = |value: &dyn Fn(&KindStatus) -> i64| {
            let rows = self.kinds.iter();
            rows.map(|kind| (format!("{{kind=\"{}\"}}", kind.name), value(kind)))
                .collect::<Vec<_>>()
        };
        family(
            "perennial_work_due",
            "Rows whose work is due, counted to 100000.",
            "gauge",
            each(&|kind| kind.due),
        );
        family(
            "perennial_work_lag_seconds",
            "How late the oldest due row is.",
            "gauge",
            each(&|kind| kind.lag_seconds(self.now)),
        );
        family(
            "perennial_work_done_total",
            "Rows whose work was done.",
            "counter",
            each(&|kind| kind.done),
        );
        family(
            "perennial_work_failed_total",
            "Rows whose work failed by itself.",
            "counter",
            each(&|kind| kind.failed),
        );
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let mut names: Vec<&str> = self.kinds.iter().map(|kind| kind.name).collect();
        names.extend(ASIDE_BESIDE_KINDS);
        let aside = names.into_iter().map(|name| {
            let own = self.set_aside.iter().filter(|own| own.kind == name);
            (format!("{{kind=\"{name}\"}}"), count(own.count()))
        });
        let aside = aside.collect();
        family(
            "perennial_work_set_aside",
            "Rows that are set aside, counted to 100 in all.",
            "gauge",
            aside,
        );
        let plain = |n: usize| vec![(String::new(), count(n))];
        self.mail_metrics(&mut family);
        family(
            "perennial_work_processes",
            "Processes that work.",
            "gauge",
            plain(self.processes.len()),
        );
        family(
            "perennial_work_shards_orphaned",
            "Shards that no living process works on.",
            "gauge",
            plain(self.orphaned()),
        );
        self.conflict_metrics(&mut family);
        text
    }
}

/// `2026-02-15 10:00:00 UTC`.
fn spoken(at: Timestamp) -> String {
    let own = at.civil();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        own.year, own.month, own.day, own.hour, own.minute, own.second
    )
}

/// `0 s`, `5 min`, `3 h`, `2 d`.
fn lapse(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
