//! One group of events: checked, written, added up, committed, answered.

mod counting;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use perennial::calendar::Timestamp;
use perennial::id::CustomerId;
use perennial::usage::{Formula, Meter, MeterStatus, TEXT_CHARS_MAX, check_moment, parse_value};
use sqlx::AnyConnection;

use super::{Answer, News, Report, Taken};
use crate::service::{Engine, Refused};
use crate::store::usage::{self, EventRow};
use crate::store::{Scope, StoreError};

/// How often a group is written again after a clash with another process.
const WRITES_MAX: u32 = 6;

/// An event that can be counted.
struct Ready {
    report: usize,
    index: usize,
    meter: Arc<Meter>,
    customer: String,
    /// Whether its moment was given, and not that of the report.
    dated: bool,
    row: EventRow,
}

/// Why a group was not written.
enum Failed {
    /// This report can't be counted; the others may.
    Report(usize, Refused),
    /// Some events were there before: they must be told apart.
    Twins,
    /// The database.
    Store(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn unusable(report: &Report, index: usize, field: &str, code: &'static str, why: &str) -> Refused {
    Refused::Invalid {
        param: report.naming.name(index, field),
        code: Some(code),
        message: why.to_owned(),
    }
}

impl Engine {
    /// Writes a group and answers everybody in it. Where one report spoils it, each is written by
    /// itself, so that only that one is refused.
    pub(super) async fn write_group(self, group: Vec<Report>) {
        match self.try_group(&group).await {
            Ok(answers) => answer_all(group, answers),
            Err(Failed::Report(index, refused)) if group.len() == 1 => {
                debug_assert_eq!(index, 0);
                answer_all(group, vec![Err(refused)]);
            }
            Err(Failed::Store(error)) if group.len() == 1 => {
                answer_all(group, vec![Err(error.into())]);
            }
            Err(_) => {
                for report in group {
                    let one = std::slice::from_ref(&report);
                    let answer = match self.try_group(one).await {
                        Ok(mut answers) => answers.pop().unwrap_or_else(|| Ok(Vec::new())),
                        Err(Failed::Report(_, refused)) => Err(refused),
                        Err(Failed::Store(error)) => Err(error.into()),
                        Err(Failed::Twins) => Err(Refused::Busy),
                    };
                    answer_all(vec![report], vec![answer]);
                }
            }
        }
    }

    /// Reports that can't be counted are refused in the answers; the rest is committed.
    async fn try_group(&self, group: &[Report]) -> Result<Vec<Answer>, Failed> {
        let mut careful = false;
        for attempt in 1.. {
            match self.write_once(group, careful).await {
                Err(Failed::Twins) => careful = true,
                Err(Failed::Store(error)) if error.is_conflict() && attempt < WRITES_MAX => {
                    self.store.note_conflict(&error);
                    let millis = (self.entropy.bits() % 8) as u64 + u64::from(attempt) * 2;
                    tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
                }
                outcome => return outcome,
            }
        }
        Ok(Vec::new())
    }

    /// Writes a group. Most have no event that was there before; where one has, it is found out
    /// which, `careful`ly.
    async fn write_once(&self, group: &[Report], careful: bool) -> Result<Vec<Answer>, Failed> {
        let mut answers: Vec<Answer> = group.iter().map(|_| Ok(Vec::new())).collect();
        let mut scopes: Vec<(&Scope, Vec<usize>)> = Vec::new();
        for (index, report) in group.iter().enumerate() {
            match scopes.iter_mut().find(|(scope, _)| **scope == report.scope) {
                Some((_, reports)) => reports.push(index),
                None => scopes.push((&report.scope, vec![index])),
            }
        }
        let mut prepared = Vec::with_capacity(scopes.len());
        for (scope, reports) in scopes {
            let ready = self
                .prepare_usage(scope, group, &reports, &mut answers)
                .await?;
            prepared.push((scope, ready));
        }
        if prepared.iter().all(|(_, ready)| ready.0.is_empty()) {
            return Ok(answers);
        }
        let mut tx = self.store.begin().await?;
        let mut taken = Vec::with_capacity(prepared.len());
        for (scope, (ready, unopened)) in prepared {
            let connection = tx.connection();
            let ready = self
                .open_accounts(connection, scope, ready, unopened)
                .await?;
            taken.push((
                scope,
                counting::write(tx.connection(), scope, ready, careful).await?,
            ));
        }
        tx.commit().await?;
        for (scope, events) in taken {
            self.conclude(scope, events, &mut answers);
        }
        Ok(answers)
    }

    /// Remembers accounts, tells that they have news, and writes the answers.
    fn conclude(&self, scope: &Scope, events: Vec<(Ready, bool)>, answers: &mut [Answer]) {
        let mut seen: HashMap<i64, (Arc<Meter>, String, Timestamp)> = HashMap::new();
        let mut order = events;
        order.sort_by_key(|(ready, _)| (ready.report, ready.index));
        for (ready, new) in order {
            seen.entry(ready.row.account).or_insert_with(|| {
                let now = Timestamp(ready.row.place / 1_000_000);
                (Arc::clone(&ready.meter), ready.customer.clone(), now)
            });
            if let Some(Ok(taken)) = answers.get_mut(ready.report) {
                taken.push(Taken {
                    identifier: ready.row.identifier,
                    at: ready.row.at,
                    new,
                });
            }
        }
        let news = seen.into_values().map(|(meter, customer, _)| News {
            scope: scope.clone(),
            meter: meter.id.to_string(),
            customer,
        });
        self.metering.tell(news);
        // A worker looks whether a mark is reached.
        self.wake();
    }

    /// Checks the reports of a scope. Answers with the events of those that can be counted, and the
    /// accounts that are to be opened for them, by meter.
    async fn prepare_usage(
        &self,
        scope: &Scope,
        group: &[Report],
        reports: &[usize],
        answers: &mut [Answer],
    ) -> Result<(Vec<Ready>, Unopened), Failed> {
        let names: BTreeSet<&str> = reports
            .iter()
            .filter_map(|report| group.get(*report))
            .flat_map(|report| report.events.iter().map(|event| event.event_name.as_str()))
            .collect();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut connection = self.store.read().await?;
        let mut meters: HashMap<String, Arc<Meter>> = HashMap::new();
        for row in usage::meters_by_event_name(&mut connection, scope, &names).await? {
            // Active ones come first, then the newest.
            let name = row.value.event_name.clone();
            meters.entry(name).or_insert_with(|| Arc::new(row.value));
        }
        let mut ready = Vec::new();
        for index in reports {
            let Some(report) = group.get(*index) else {
                continue;
            };
            match self.check_usage(report, *index, &meters) {
                Ok(events) => ready.extend(events),
                Err(refused) => refuse(answers, *index, refused),
            }
        }
        let unopened = self
            .resolve_accounts(&mut connection, scope, &mut ready)
            .await?;
        // Whoever names a customer that is not there is refused as a whole.
        let mut strangers: BTreeMap<usize, usize> = BTreeMap::new();
        for event in ready.iter().filter(|event| event.row.account == STRANGER) {
            let first = strangers.entry(event.report).or_insert(event.index);
            *first = (*first).min(event.index);
        }
        for (index, event) in &strangers {
            let Some(report) = group.get(*index) else {
                continue;
            };
            let found = ready
                .iter()
                .find(|one| one.report == *index && one.index == *event);
            let (key, customer) = found.map_or(("", ""), |one| {
                (one.meter.customer_key.as_str(), one.customer.as_str())
            });
            let shown: String = customer.chars().take(80).collect();
            let why = format!("No such customer: '{shown}'");
            let field = format!("payload[{key}]");
            let code = "meter_event_customer_not_found";
            refuse(
                answers,
                *index,
                unusable(report, *event, &field, code, &why),
            );
        }
        ready.retain(|event| !strangers.contains_key(&event.report));
        Ok((ready, unopened))
    }

    /// Checks what can be checked without the database.
    fn check_usage(
        &self,
        report: &Report,
        number: usize,
        meters: &HashMap<String, Arc<Meter>>,
    ) -> Result<Vec<Ready>, Refused> {
        let place = self.metering.places(report.now, report.events.len());
        let mut ready = Vec::with_capacity(report.events.len());
        for (index, event) in report.events.iter().enumerate() {
            let refused = |field: &str, code, why: &str| unusable(report, index, field, code, why);
            let meter = meters.get(&event.event_name).ok_or_else(|| {
                let shown: String = event.event_name.chars().take(80).collect();
                let why = format!("No meter has the event name '{shown}'.");
                refused("event_name", "no_meter", &why)
            })?;
            if meter.status != MeterStatus::Active {
                let why = "The meter of this event name is inactive.";
                return Err(refused("event_name", "archived_meter", why));
            }
            let of = |key: &str| {
                let found = event.payload.iter().find(|(name, _)| name == key);
                found.map(|(_, value)| value.as_str())
            };
            let key = &meter.customer_key;
            let customer = of(key).ok_or_else(|| {
                let why = format!("The payload names no customer: it has no key '{key}'.");
                refused(
                    &format!("payload[{key}]"),
                    "meter_event_no_customer_defined",
                    &why,
                )
            })?;
            let now = event.now.unwrap_or(report.now);
            let at = event.at.unwrap_or(now);
            check_moment(at, now)
                .map_err(|error| refused("timestamp", error.code(), &error.to_string()))?;
            let (scaled, mark) = value_of(meter, of(&meter.value_key)).map_err(|(code, why)| {
                refused(&format!("payload[{}]", meter.value_key), code, &why)
            })?;
            let identifier = match &event.identifier {
                Some(given) if given.is_empty() || given.chars().count() > TEXT_CHARS_MAX => {
                    let why = "An identifier has 1 to 100 characters.";
                    return Err(refused("identifier", "parameter_invalid_string", why));
                }
                Some(given) => given.clone(),
                None => format!("{:032x}", self.entropy.bits()),
            };
            ready.push(Ready {
                report: number,
                index,
                meter: Arc::clone(meter),
                customer: customer.to_owned(),
                dated: event.at.is_some(),
                row: EventRow {
                    key: usage::key(&report.scope, &identifier),
                    identifier,
                    account: STRANGER,
                    at,
                    place: place.saturating_add(i64::try_from(index).unwrap_or(i64::MAX)),
                    scaled,
                    mark,
                    canceled: false,
                },
            });
        }
        Ok(ready)
    }

    /// Finds the accounts of events. Those without one yet are [`UNOPENED`] and named in the answer;
    /// those whose customer is not there stay [`STRANGER`]s.
    async fn resolve_accounts(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        ready: &mut [Ready],
    ) -> Result<Unopened, Failed> {
        let mut unknown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut keys: HashMap<String, (Scope, String)> = HashMap::new();
        for event in &mut *ready {
            let meter = event.meter.id.as_str();
            let key = match keys.get(meter) {
                Some(key) => key,
                None => keys
                    .entry(meter.to_owned())
                    .or_insert_with(|| (scope.clone(), meter.to_owned())),
            };
            let now = Timestamp(event.row.place / 1_000_000);
            match self.metering.known(key, &event.customer, now) {
                Some(account) => event.row.account = account,
                None if CustomerId::parse(&event.customer).is_ok() => {
                    let names = unknown.entry(meter.to_owned()).or_default();
                    names.insert(event.customer.clone());
                }
                None => {}
            }
        }
        let mut unopened = Unopened::new();
        for (meter, customers) in unknown {
            let names: Vec<String> = customers.into_iter().collect();
            let living = usage::living_customers(&mut *connection, scope, &names).await?;
            let found = usage::accounts(&mut *connection, scope, &meter, &living).await?;
            let found: HashMap<String, i64> = found.into_iter().collect();
            let mut missing: Vec<String> = living
                .iter()
                .filter(|customer| !found.contains_key(*customer))
                .cloned()
                .collect();
            missing.sort();
            let mut now = Timestamp(0);
            for event in ready
                .iter_mut()
                .filter(|event| event.row.account == STRANGER && event.meter.id.as_str() == meter)
            {
                now = now.max(Timestamp(event.row.place / 1_000_000));
                if let Some(account) = found.get(&event.customer) {
                    event.row.account = *account;
                } else if missing.binary_search(&event.customer).is_ok() {
                    event.row.account = UNOPENED;
                }
            }
            let known = found.into_iter().collect();
            self.metering
                .remember((scope.clone(), meter.clone()), known, now);
            if !missing.is_empty() {
                unopened.insert(meter, missing);
            }
        }
        Ok(unopened)
    }

    /// Opens the accounts that are missing. Somebody else may have been faster: then it is theirs.
    async fn open_accounts(
        &self,
        connection: &mut AnyConnection,
        scope: &Scope,
        mut ready: Vec<Ready>,
        unopened: Unopened,
    ) -> Result<Vec<Ready>, Failed> {
        for (meter, customers) in unopened {
            let wanted: Vec<(String, i64)> = customers
                .iter()
                .map(|customer| {
                    // 63 random bits; a number that is taken refuses the transaction.
                    let number = i64::try_from(self.entropy.bits() >> 65).unwrap_or(0);
                    (customer.clone(), number)
                })
                .collect();
            usage::open_accounts(&mut *connection, scope, &meter, &wanted).await?;
            let found = usage::accounts(&mut *connection, scope, &meter, &customers).await?;
            let found: HashMap<String, i64> = found.into_iter().collect();
            for event in ready
                .iter_mut()
                .filter(|event| event.row.account == UNOPENED && event.meter.id.as_str() == meter)
            {
                if let Some(account) = found.get(&event.customer) {
                    event.row.account = *account;
                }
            }
        }
        ready.retain(|event| event.row.account >= 0);
        Ok(ready)
    }
}

/// Customers without an account, sorted, by meter.
type Unopened = BTreeMap<String, Vec<String>>;

/// Stands for an account whose customer is not there.
const STRANGER: i64 = -1;
/// Stands for an account that is to be opened.
const UNOPENED: i64 = -2;

fn refuse(answers: &mut [Answer], index: usize, refused: Refused) {
    if let Some(answer) = answers.get_mut(index)
        && answer.is_ok()
    {
        *answer = Err(refused);
    }
}

fn answer_all(group: Vec<Report>, answers: Vec<Answer>) {
    for (report, answer) in group.into_iter().zip(answers) {
        // Nobody may be left to hear it: what is committed is committed.
        let _ = report.answer.send(answer);
    }
}

/// The value of an event, as its meter wants it: a number, or any text where different ones are
/// counted. Where only events are counted, the value does not matter and may be missing.
fn value_of(
    meter: &Meter,
    value: Option<&str>,
) -> Result<(i128, Option<String>), (&'static str, String)> {
    let missing = || {
        let why = format!(
            "The payload has no value: it has no key '{}'.",
            meter.value_key
        );
        ("meter_event_value_not_found", why)
    };
    match meter.formula {
        Formula::Count => Ok((0, None)),
        Formula::Unique => {
            let text = value.ok_or_else(missing)?;
            if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX || text.contains('\0') {
                let why = "A value that different ones are counted of has 1 to 100 characters.";
                return Err(("meter_event_invalid_value", why.to_owned()));
            }
            Ok((0, Some(text.to_owned())))
        }
        Formula::Sum | Formula::Max | Formula::Last => {
            let value = parse_value(value.ok_or_else(missing)?);
            let value = value.map_err(|error| (error.code(), error.to_string()))?;
            Ok((value.scaled(), None))
        }
    }
}
