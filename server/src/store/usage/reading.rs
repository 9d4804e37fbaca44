//! Reading what was used: running totals, and the events of the ends that are shorter than an hour.

use perennial::calendar::{Period, Timestamp};
use perennial::usage::{Cover, DAY_SECONDS, Formula, HOUR_SECONDS, Place, Total, joined};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::{Question, scoped, too_large};
use crate::store::{Scope, StoreError};

/// What the events of a stretch `[from, until)` come to, looked at one by one in the database.
pub(super) async fn of_events(
    connection: &mut AnyConnection,
    scope: &Scope,
    account: i64,
    formula: Formula,
    (from, until): (i64, i64),
) -> Result<Total, StoreError> {
    const STRETCH: &str = " from meter_event where merchant = $1 and livemode = $2 and account = $3 \
                           and at >= $4 and at < $5 and canceled = 0";
    let sql = match formula {
        Formula::Sum => format!(
            "select count(*) as events, cast(coalesce(sum(whole), 0) as bigint) as whole, \
             cast(coalesce(sum(part), 0) as bigint) as part, cast(0 as bigint) as at, \
             cast(0 as bigint) as place{STRETCH}"
        ),
        Formula::Count => format!(
            "select count(*) as events, cast(0 as bigint) as whole, cast(0 as bigint) as part, \
             cast(0 as bigint) as at, cast(0 as bigint) as place{STRETCH}"
        ),
        Formula::Unique => format!(
            "select count(distinct mark) as events, cast(0 as bigint) as whole, \
             cast(0 as bigint) as part, cast(0 as bigint) as at, cast(0 as bigint) as place{STRETCH}"
        ),
        Formula::Max => format!(
            "select cast(1 as bigint) as events, whole, part, at, place{STRETCH} \
             order by whole desc, part desc limit 1"
        ),
        Formula::Last => format!(
            "select cast(1 as bigint) as events, whole, part, at, place{STRETCH} \
             order by at desc, place desc limit 1"
        ),
    };
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(account)
        .bind(from)
        .bind(until)
        .fetch_optional(connection)
        .await?;
    row.as_ref()
        .map_or(Ok(Total::NONE), |row| decode_total(row, formula))
}

fn decode_total(row: &AnyRow, formula: Formula) -> Result<Total, StoreError> {
    let newest = match formula {
        Formula::Last => Place {
            at: row.try_get("at")?,
            order: row.try_get("place")?,
        },
        _ => Place::default(),
    };
    Ok(Total {
        events: row.try_get("events")?,
        scaled: joined(row.try_get("whole")?, row.try_get("part")?),
        newest,
    })
}

/// What an account used in a period: its running totals, and the events of the two ends that are
/// shorter than an hour.
///
/// # Errors
/// When the database fails.
pub async fn read(
    connection: &mut AnyConnection,
    scope: &Scope,
    question: Question,
) -> Result<Total, StoreError> {
    let mut answers = read_many(connection, scope, std::slice::from_ref(&question)).await?;
    Ok(answers.pop().unwrap_or(Total::NONE))
}

/// Questions of one statement of [`read_many`].
const QUESTIONS_MAX: usize = 100;

/// Answers several questions, a hundred with each statement, in their order.
///
/// # Errors
/// When the database fails.
pub async fn read_many(
    connection: &mut AnyConnection,
    scope: &Scope,
    questions: &[Question],
) -> Result<Vec<Total>, StoreError> {
    let mut answers = vec![Total::NONE; questions.len()];
    let asked: Vec<(usize, Question)> = questions.iter().copied().enumerate().collect();
    // A unique meter's totals answer for everything from a moment on. A period that events lie
    // behind is counted by itself.
    let mut closed = Vec::new();
    for asked in asked.chunks(QUESTIONS_MAX) {
        let unique: Vec<(usize, Question)> = asked
            .iter()
            .copied()
            .filter(|(_, question)| question.formula == Formula::Unique)
            .collect();
        if !unique.is_empty() {
            closed.extend(with_events_behind(&mut *connection, scope, &unique).await?);
        }
    }
    let (apart, together): (Vec<_>, Vec<_>) = asked
        .into_iter()
        .partition(|(index, _)| closed.contains(index));
    for asked in apart.chunks(QUESTIONS_MAX) {
        for (index, values) in different_values(&mut *connection, scope, asked).await? {
            if let Some(answer) = answers.get_mut(index) {
                answer.events = values;
            }
        }
    }
    for asked in together.chunks(QUESTIONS_MAX) {
        read_some(&mut *connection, scope, asked, &mut answers).await?;
    }
    Ok(answers)
}

/// Which of these periods have events of their accounts at or after their ends.
async fn with_events_behind(
    connection: &mut AnyConnection,
    scope: &Scope,
    asked: &[(usize, Question)],
) -> Result<Vec<usize>, StoreError> {
    let rows: Vec<String> = (0..asked.len())
        .map(|row| {
            let cells = (0..3).map(|place| format!("cast(${} as bigint)", 3 + row * 3 + place));
            format!("({})", cells.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let sql = format!(
        "with q (n, account, until) as (values {}) select q.n as n from q where exists (select 1 \
         from meter_event t where t.merchant = $1 and t.livemode = $2 and t.account = q.account \
         and t.at >= q.until)",
        rows.join(", ")
    );
    let mut query = scoped(sql, scope);
    for (index, question) in asked {
        query = query
            .bind(i64::try_from(*index).unwrap_or(i64::MAX))
            .bind(question.account)
            .bind(question.period.end.0);
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok(usize::try_from(row.try_get::<i64, _>("n")?).unwrap_or(usize::MAX)))
        .collect()
}

/// How many different values the events of each of these stretches have, looked at one by one in the
/// database.
async fn different_values(
    connection: &mut AnyConnection,
    scope: &Scope,
    asked: &[(usize, Question)],
) -> Result<Vec<(usize, i64)>, StoreError> {
    let rows: Vec<String> = (0..asked.len())
        .map(|row| {
            let cells = (0..4).map(|place| format!("cast(${} as bigint)", 3 + row * 4 + place));
            format!("({})", cells.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let sql = format!(
        "with q (n, account, since, until) as (values {}) select q.n as n, \
         count(distinct t.mark) as found from q cross join meter_event t where t.merchant = $1 \
         and t.livemode = $2 and t.account = q.account and t.at >= q.since and t.at < q.until \
         and t.canceled = 0 group by q.n",
        rows.join(", ")
    );
    let mut query = scoped(sql, scope);
    for (index, question) in asked {
        query = query
            .bind(i64::try_from(*index).unwrap_or(i64::MAX))
            .bind(question.account)
            .bind(question.period.start.0)
            .bind(question.period.end.0);
    }
    let rows = query.fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let index = usize::try_from(row.try_get::<i64, _>("n")?).unwrap_or(usize::MAX);
            Ok((index, row.try_get("found")?))
        })
        .collect()
}

async fn read_some(
    connection: &mut AnyConnection,
    scope: &Scope,
    asked: &[(usize, Question)],
    answers: &mut [Total],
) -> Result<(), StoreError> {
    let places = match asked.len() {
        1 => 1,
        2..=10 => 10,
        _ => QUESTIONS_MAX,
    };
    let mut query = scoped(questions_sql(places), scope);
    let idle = (
        usize::MAX,
        Question {
            account: -1,
            formula: Formula::Sum,
            period: Period {
                start: Timestamp(0),
                end: Timestamp(0),
            },
        },
    );
    for place in 0..places {
        let (index, question) = asked.get(place).unwrap_or(&idle);
        let cover = Cover::of(question.period);
        let additive = !matches!(question.formula, Formula::Max | Formula::Last);
        query = query
            .bind(i64::try_from(*index).unwrap_or(i64::MAX))
            .bind(question.account)
            .bind(i64::from(additive))
            .bind(i64::from(question.formula == Formula::Unique));
        for (from, until) in [
            cover.days,
            cover.hours[0],
            cover.hours[1],
            cover.ends[0],
            cover.ends[1],
        ] {
            query = query.bind(from).bind(until);
        }
    }
    let rows = query.fetch_all(&mut *connection).await?;
    for row in &rows {
        let index = usize::try_from(row.try_get::<i64, _>("n")?).unwrap_or(usize::MAX);
        let found = asked.iter().find(|(place, _)| *place == index);
        if let (Some((_, question)), Some(answer)) = (found, answers.get_mut(index)) {
            let part = decode_total(row, question.formula)?;
            *answer = answer.merge(question.formula, part).map_err(too_large)?;
        }
    }
    Ok(())
}

/// The statement of [`read_some`] for `places` questions: sums where sums will do, else each total
/// by itself. The two ends of a unique meter's period count the values that were seen last in them.
/// The joins are crossed so that SQLite looks questions up in the tables, not tables in the questions.
fn questions_sql(places: usize) -> String {
    const WIDTH: usize = 14;
    const NAMES: [&str; WIDTH] = [
        "n", "account", "additive", "marks", "d0", "d1", "h0", "h1", "k0", "k1", "e0", "e1", "f0",
        "f1",
    ];
    let rows: Vec<String> = (0..places)
        .map(|row| {
            let cells =
                (0..WIDTH).map(|place| format!("cast(${} as bigint)", 3 + row * WIDTH + place));
            format!("({})", cells.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let names = NAMES.join(", ");
    let total = |columns: &str, additive: i64, step: i64, from: &str, until: &str, group: &str| {
        format!(
            "select q.n as n, {columns} from q cross join meter_total t where t.merchant = $1 and t.livemode = $2 \
             and t.account = q.account and t.step = {step} and t.start >= q.{from} and t.start < q.{until} \
             and q.additive = {additive}{group}"
        )
    };
    let sums = "cast(coalesce(sum(t.events), 0) as bigint) as events, \
                cast(coalesce(sum(t.whole), 0) as bigint) as whole, \
                cast(coalesce(sum(t.part), 0) as bigint) as part, \
                cast(0 as bigint) as at, cast(0 as bigint) as place";
    let each = "t.events as events, t.whole as whole, t.part as part, t.at as at, t.place as place";
    let mut selects = Vec::new();
    for (step, from, until) in [
        (DAY_SECONDS, "d0", "d1"),
        (HOUR_SECONDS, "h0", "h1"),
        (HOUR_SECONDS, "k0", "k1"),
    ] {
        selects.push(total(sums, 1, step, from, until, " group by q.n"));
        selects.push(total(each, 0, step, from, until, " and t.events > 0"));
    }
    let event_sums = "count(*) as events, cast(coalesce(sum(t.whole), 0) as bigint) as whole, \
                      cast(coalesce(sum(t.part), 0) as bigint) as part, \
                      cast(0 as bigint) as at, cast(0 as bigint) as place";
    let event_each = "cast(1 as bigint) as events, t.whole as whole, t.part as part, t.at as at, \
                      t.place as place";
    for (from, until) in [("e0", "e1"), ("f0", "f1")] {
        for (columns, additive, group) in [(event_sums, 1, " group by q.n"), (event_each, 0, "")] {
            selects.push(format!(
                "select q.n as n, {columns} from q cross join meter_event t where t.merchant = $1 \
                 and t.livemode = $2 and t.account = q.account and t.at >= q.{from} and t.at < q.{until} \
                 and t.canceled = 0 and q.additive = {additive} and q.marks = 0{group}"
            ));
        }
        selects.push(format!(
            "select q.n as n, count(*) as events, cast(0 as bigint) as whole, cast(0 as bigint) as part, \
             cast(0 as bigint) as at, cast(0 as bigint) as place from q cross join meter_mark t \
             where t.merchant = $1 and t.livemode = $2 and t.account = q.account and t.seen >= q.{from} \
             and t.seen < q.{until} and q.marks = 1 group by q.n"
        ));
    }
    format!(
        "with q ({names}) as (values {}) {}",
        rows.join(", "),
        selects.join(" union all ")
    )
}

/// A part of the stretches of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretches {
    /// Hour or day, in seconds.
    pub step: i64,
    /// From where; a start of a step.
    pub from: i64,
    /// Until where; a start of a step.
    pub until: i64,
    /// Whether the oldest come first.
    pub rising: bool,
    /// At most so many.
    pub limit: i64,
}

/// What an account used in each hour or day, where it used any: start and total.
///
/// # Errors
/// When the database fails.
pub async fn stretches(
    connection: &mut AnyConnection,
    scope: &Scope,
    account: i64,
    formula: Formula,
    wanted: Stretches,
) -> Result<Vec<(i64, Total)>, StoreError> {
    let order = if wanted.rising { "asc" } else { "desc" };
    // The totals of a unique meter say when values were seen last; here each stretch counts its own.
    let sql = match formula {
        Formula::Unique => format!(
            "select at - (at % $4) as start, count(distinct mark) as events, cast(0 as bigint) as whole, \
             cast(0 as bigint) as part, cast(0 as bigint) as at, cast(0 as bigint) as place \
             from meter_event where merchant = $1 and livemode = $2 and account = $3 and at >= $5 \
             and at < $6 and canceled = 0 group by 1 order by 1 {order} limit cast($7 as bigint)"
        ),
        _ => format!(
            "select start, events, whole, part, at, place from meter_total where merchant = $1 \
             and livemode = $2 and account = $3 and step = $4 and start >= $5 and start < $6 \
             and events > 0 order by start {order} limit cast($7 as bigint)"
        ),
    };
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(scope.merchant.as_str())
        .bind(scope.mode())
        .bind(account)
        .bind(wanted.step)
        .bind(wanted.from)
        .bind(wanted.until)
        .bind(wanted.limit)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("start")?, decode_total(row, formula)?)))
        .collect()
}
