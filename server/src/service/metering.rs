//! Reporting usage: events of many requests are written together, in one transaction with the
//! running totals that they change, and each request is answered after that commit.
//!
//! While one group of events is on its way to the disk, those that come meanwhile gather for the
//! next. So a thousand requests a second cost a handful of commits, and each hour's total of a
//! customer is written once a group, however many events it takes up. Nothing waits for a timer:
//! a lone event is a group by itself.

mod alerts;
mod cancel;
mod group;
mod meters;
mod session;
mod summaries;
mod thresholds;
mod watching;

pub use alerts::NewAlert;
pub use meters::{MeterUpdate, NewMeter};
pub use session::{Session, TOKEN_PREFIX};
pub use summaries::{Summary, SummaryPage, SummaryRequest};
pub(in crate::service) use watching::{ALERT, EVENT_KEPT_SECONDS, THRESHOLD};

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use perennial::calendar::Timestamp;
use tokio::sync::oneshot;

use super::{Engine, Refused};
use crate::store::usage::AccountPlace;
use crate::store::{Scope, usage};

/// Events that may wait to be written. Beyond it, requests are told to come again.
const WAITING_EVENTS_MAX: usize = 200_000;
/// Events written in one transaction, as far as requests can be kept whole.
const GROUP_EVENTS_MAX: usize = 16_384;
/// Groups under way at the same time: one is prepared while another is written.
const GROUPS_MAX: usize = 2;
/// Accounts that are remembered, of all merchants together.
const ACCOUNTS_KEPT_MAX: usize = 200_000;
/// How long it is remembered that a customer is there, in seconds. So long, events of a customer who
/// was deleted meanwhile are still counted, which bills nobody.
const ACCOUNT_KEPT_SECONDS: i64 = 60;
/// Accounts with news that nobody has looked at yet.
const NEWS_MAX: usize = 200_000;

/// An event as it is reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEvent {
    /// The name that a meter listens to.
    pub event_name: String,
    /// Counts once, however often it comes; made if there is none.
    pub identifier: Option<String>,
    /// Its moment; that of the report if there is none.
    pub at: Option<Timestamp>,
    /// Names the customer and the value under the meter's keys.
    pub payload: Vec<(String, String)>,
    /// The time by which its customer lives, where that is not the report's: a test clock's.
    pub now: Option<Timestamp>,
}

/// An event as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its identifier, perhaps made.
    pub identifier: String,
    /// Its moment.
    pub at: Timestamp,
    /// Whether it was new; the same event may have come before.
    pub new: bool,
}

/// How an error names the field of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The report is one event: `timestamp`, `payload[value]`.
    Single,
    /// It is a list: `events[3][timestamp]`.
    Listed,
}

impl Naming {
    fn name(self, index: usize, field: &str) -> String {
        match (self, field.split_once('[')) {
            (Self::Single, _) => field.to_owned(),
            (Self::Listed, None) => format!("events[{index}][{field}]"),
            (Self::Listed, Some((outer, rest))) => format!("events[{index}][{outer}][{rest}"),
        }
    }
}

type Answer = Result<Vec<Taken>, Refused>;

/// A report that waits to be written.
struct Report {
    scope: Scope,
    events: Vec<NewEvent>,
    naming: Naming,
    now: Timestamp,
    answer: oneshot::Sender<Answer>,
}

/// An account as it is remembered.
#[derive(Clone, Copy)]
struct Known {
    account: i64,
    until: Timestamp,
}

/// The usage of an account has changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct News {
    /// Whose.
    pub scope: Scope,
    /// `mtr_…`
    pub meter: String,
    /// `cus_…`
    pub customer: String,
}

/// What all engines of a process share to report usage.
#[derive(Default)]
pub struct Metering {
    queue: Mutex<Queue>,
    accounts: Mutex<Accounts>,
    newest_place: AtomicI64,
    news: Mutex<HashSet<News>>,
    session_key: tokio::sync::OnceCell<[u8; 32]>,
    /// How far old events have been forgotten in this round.
    forgetting: Mutex<AccountPlace>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Report>,
    events: usize,
    groups: usize,
}

/// By scope and meter, then by customer.
#[derive(Default)]
struct Accounts {
    known: HashMap<(Scope, String), HashMap<String, Known>>,
    count: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metering {
    fn forgetting(&self) -> AccountPlace {
        locked(&self.forgetting).clone()
    }

    fn forget_from(&self, place: AccountPlace) {
        *locked(&self.forgetting) = place;
    }

    /// The next places in the order of receipt, as many as are asked for: microseconds, made unique in
    /// this process.
    fn places(&self, now: Timestamp, count: usize) -> i64 {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let floor = now.0.saturating_mul(1_000_000);
        let mut first = floor;
        let _ = self
            .newest_place
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |newest| {
                first = floor.max(newest.saturating_add(1));
                Some(first.saturating_add(count))
            });
        first
    }

    /// Takes the accounts whose usage has changed since this was asked last.
    #[must_use]
    pub fn take_news(&self) -> Vec<News> {
        locked(&self.news).drain().collect()
    }

    fn tell(&self, news: impl Iterator<Item = News>) {
        let mut kept = locked(&self.news);
        for one in news {
            if kept.len() < NEWS_MAX {
                kept.insert(one);
            }
        }
    }

    fn known(&self, key: &(Scope, String), customer: &str, now: Timestamp) -> Option<i64> {
        let accounts = locked(&self.accounts);
        let known = accounts.known.get(key)?.get(customer)?;
        (known.until > now).then_some(known.account)
    }

    fn remember(&self, key: (Scope, String), found: Vec<(String, i64)>, now: Timestamp) {
        let until = Timestamp(now.0.saturating_add(ACCOUNT_KEPT_SECONDS));
        let mut accounts = locked(&self.accounts);
        if accounts.count.saturating_add(found.len()) > ACCOUNTS_KEPT_MAX {
            *accounts = Accounts::default();
        }
        accounts.count += found.len();
        let entry = accounts.known.entry(key).or_default();
        for (customer, account) in found {
            entry.insert(customer, Known { account, until });
        }
    }
}

impl Queue {
    /// Takes the next reports that make a group, if there are any.
    fn next_group(&mut self) -> Vec<Report> {
        let (mut group, mut events) = (Vec::new(), 0_usize);
        while let Some(report) = self.waiting.front() {
            let more = events.saturating_add(report.events.len());
            if !group.is_empty() && more > GROUP_EVENTS_MAX {
                break;
            }
            events = more;
            group.extend(self.waiting.pop_front());
        }
        self.events = self.events.saturating_sub(events);
        group
    }
}

impl Engine {
    /// Counts events: all of them, durably, or none. An event whose identifier was taken before is
    /// not counted again; that is an error only where the event is another one. (Stripe refuses the
    /// second one always; answering the same event the same way lets everybody send again safely.)
    ///
    /// What Stripe finds out later and tells in an event of its own (no such meter or customer, a
    /// value that is none) is refused here at once, by name.
    ///
    /// # Errors
    /// [`Refused::Invalid`] names the first event and field that can't be counted, with Stripe's code;
    /// [`Refused::Busy`] when too many events wait.
    pub async fn report_usage(
        &self,
        scope: &Scope,
        events: Vec<NewEvent>,
        naming: Naming,
    ) -> Answer {
        let (answer, answered) = oneshot::channel();
        let report = Report {
            scope: scope.clone(),
            events,
            naming,
            now: self.now(),
            answer,
        };
        let starts = {
            let mut queue = locked(&self.metering.queue);
            let events = queue.events.saturating_add(report.events.len());
            if !queue.waiting.is_empty() && events > WAITING_EVENTS_MAX {
                return Err(Refused::Busy);
            }
            queue.events = events;
            queue.waiting.push_back(report);
            let starts = queue.groups < GROUPS_MAX;
            queue.groups += usize::from(starts);
            starts
        };
        if starts {
            // A task of its own: whoever started it may go away while others wait for it.
            tokio::spawn(self.clone().write_groups());
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Refused::Defect("a report of usage was dropped".to_owned())))
    }

    /// Gives events of customers who follow test clocks the clocks' time. In live mode there are none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn by_test_clocks(
        &self,
        scope: &Scope,
        mut events: Vec<NewEvent>,
    ) -> Result<Vec<NewEvent>, Refused> {
        if scope.livemode {
            return Ok(events);
        }
        // Any text may be the customer, whatever the meter calls its key.
        let customer = |value: &String| value.starts_with("cus_");
        let mut named: Vec<String> = events
            .iter()
            .flat_map(|event| event.payload.iter().map(|(_, value)| value))
            .filter(|value| customer(value))
            .cloned()
            .collect();
        named.sort();
        named.dedup();
        let mut read = self.store.read().await?;
        let clocks = usage::clocks_of(&mut read, scope, &named).await?;
        if !clocks.is_empty() {
            for event in &mut events {
                let mut values = event.payload.iter().map(|(_, value)| value);
                event.now = values.find_map(|value| clocks.get(value).copied());
            }
        }
        Ok(events)
    }

    /// Writes groups until none waits.
    async fn write_groups(self) {
        loop {
            let group = {
                let mut queue = locked(&self.metering.queue);
                let group = queue.next_group();
                if group.is_empty() {
                    queue.groups = queue.groups.saturating_sub(1);
                    return;
                }
                group
            };
            // If it panics, those who wait are answered by their channels closing, and others go on.
            let writing = tokio::spawn(self.clone().write_group(group));
            if let Err(error) = writing.await {
                tracing::error!(%error, "a group of usage events broke off");
            }
        }
    }
}
