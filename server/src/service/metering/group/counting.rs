//! Events written, each once, and added to the running totals of their accounts.

use std::collections::{BTreeMap, HashMap};

use perennial::calendar::Timestamp;
use perennial::usage::{DAY_SECONDS, Formula, HOUR_SECONDS, Place, Total, appearance, step_start};
use sqlx::AnyConnection;

use super::{Failed, Ready};
use crate::service::Refused;
use crate::store::usage::{self, EventRow, TotalRow};
use crate::store::{Scope, StoreError};

/// Writes events and what they add up to. Answers with each event and whether it was new.
pub(super) async fn write(
    connection: &mut AnyConnection,
    scope: &Scope,
    mut ready: Vec<Ready>,
    careful: bool,
) -> Result<Vec<(Ready, bool)>, Failed> {
    ready.sort_by_key(|event| event.row.key);
    let rows: Vec<EventRow> = ready.iter().map(|event| event.row.clone()).collect();
    let left_out = if careful {
        usage::insert_new_events(&mut *connection, scope, &rows).await?
    } else if usage::insert_events(&mut *connection, scope, &rows).await? {
        Vec::new()
    } else {
        return Err(Failed::Twins);
    };
    check_twins(&mut *connection, scope, &ready, &left_out).await?;
    let mut out = left_out.into_iter().peekable();
    let events: Vec<(Ready, bool)> = ready
        .into_iter()
        .enumerate()
        .map(|(index, event)| (event, out.next_if_eq(&index).is_none()))
        .collect();
    let new: Vec<&Ready> = events
        .iter()
        .filter(|(_, new)| *new)
        .map(|(event, _)| event)
        .collect();
    add_up(connection, scope, &new).await?;
    Ok(events)
}

/// An identifier that is taken must be that of the same event.
async fn check_twins(
    connection: &mut AnyConnection,
    scope: &Scope,
    ready: &[Ready],
    left_out: &[usize],
) -> Result<(), Failed> {
    if left_out.is_empty() {
        return Ok(());
    }
    let twins: Vec<&Ready> = left_out
        .iter()
        .filter_map(|index| ready.get(*index))
        .collect();
    let keys: Vec<i64> = twins.iter().map(|event| event.row.key).collect();
    let kept = usage::events_by_key(connection, scope, &keys).await?;
    let kept: HashMap<&str, &EventRow> = kept
        .iter()
        .map(|(event, _)| (event.identifier.as_str(), event))
        .collect();
    for twin in twins {
        let found = kept.get(twin.row.identifier.as_str());
        let same = found.is_some_and(|event| {
            event.account == twin.row.account
                && event.scaled == twin.row.scaled
                && event.mark == twin.row.mark
                && (!twin.dated || event.at == twin.row.at)
        });
        if !same {
            let shown: String = twin.row.identifier.chars().take(100).collect();
            let message = match found {
                Some(_) => format!("Another event already exists with identifier {shown}."),
                None => format!(
                    "The identifier {shown} can't be told apart from another event's. Nothing was \
                     counted; send the event with another identifier."
                ),
            };
            return Err(Failed::Report(
                twin.report,
                Refused::Invalid {
                    param: "identifier".to_owned(),
                    code: Some("duplicate_meter_event"),
                    message,
                },
            ));
        }
    }
    Ok(())
}

/// Adds new events to the running totals: each hour and day of an account once.
async fn add_up(
    connection: &mut AnyConnection,
    scope: &Scope,
    events: &[&Ready],
) -> Result<(), Failed> {
    let mut totals: HashMap<(Formula, i64, i64, i64), Total> = HashMap::new();
    let mut add = |formula: Formula, account: i64, at: Timestamp, total: Total| {
        for step in [HOUR_SECONDS, DAY_SECONDS] {
            let key = (formula, account, step, step_start(at, step).0);
            let sum = totals.entry(key).or_insert(Total::NONE);
            *sum = sum
                .merge(formula, total)
                .map_err(|error| StoreError::Unreadable {
                    kind: "billing.meter_event",
                    id: account.to_string(),
                    reason: error.to_string(),
                })?;
        }
        Ok::<(), StoreError>(())
    };
    let mut marks: BTreeMap<(i64, String), Timestamp> = BTreeMap::new();
    for event in events {
        let (formula, row) = (event.meter.formula, &event.row);
        if let (Formula::Unique, Some(mark)) = (formula, &row.mark) {
            let newest = marks.entry((row.account, mark.clone())).or_insert(row.at);
            *newest = (*newest).max(row.at);
            continue;
        }
        let value = perennial::decimal::Decimal12::from_scaled(row.scaled)
            .unwrap_or(perennial::decimal::Decimal12::ZERO);
        let place = Place {
            at: row.at.0,
            order: row.place,
        };
        add(
            formula,
            row.account,
            row.at,
            Total::of(formula, value, place),
        )?;
    }
    let wanted: Vec<(i64, String)> = marks.keys().cloned().collect();
    let mut moved = Vec::new();
    for (key, seen) in usage::hold_marks(&mut *connection, scope, &wanted).await? {
        let Some(at) = marks.get(&key) else { continue };
        let (loses, gains) = appearance(seen, *at);
        for (moment, by) in [(loses, -1), (gains, 1)] {
            if let Some(moment) = moment {
                let total = Total {
                    events: by,
                    ..Total::NONE
                };
                add(Formula::Unique, key.0, moment, total)?;
            }
        }
        if gains.is_some() {
            moved.push((key, Some(*at)));
        }
    }
    moved.sort();
    usage::set_marks(&mut *connection, scope, &moved).await?;
    for formula in FORMULAS {
        let mut rows: Vec<TotalRow> = totals
            .iter()
            .filter(|((of, ..), _)| *of == formula)
            .map(|((_, account, step, start), total)| TotalRow {
                account: *account,
                step: *step,
                start: *start,
                total: *total,
            })
            .collect();
        rows.sort_by_key(|row| (row.account, row.step, row.start));
        usage::add_totals(&mut *connection, scope, formula, &rows).await?;
    }
    Ok(())
}

const FORMULAS: [Formula; 5] = [
    Formula::Sum,
    Formula::Count,
    Formula::Max,
    Formula::Last,
    Formula::Unique,
];
