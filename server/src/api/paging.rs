//! Lists: `limit`, `starting_after`, `ending_before`, and `created` where a list has it.

use perennial::calendar::Timestamp;
use serde_json::Value;

use super::exchange::Call;
use super::params::Params;
use super::problem::Problem;
use crate::rendering;
use crate::store::document::{self, Column, Document, ListSql, Page, PageRequest};

/// How many objects a page has unless the call says (Stripe: 10).
const LIMIT_DEFAULT: u32 = 10;

/// Reads the cursor and the size of a page.
pub fn page(params: &mut Params) -> PageRequest {
    let most = i64::from(PageRequest::LIMIT_MAX);
    let limit = params.integer_in("limit", 1..=most);
    let starting_after = params.text("starting_after");
    let ending_before = params.text("ending_before");
    if starting_after.is_some() && ending_before.is_some() {
        let message =
            "You may only specify one of these parameters: starting_after, ending_before.";
        params.refuse("ending_before", message);
    }
    PageRequest {
        limit: limit
            .and_then(|l| u32::try_from(l).ok())
            .unwrap_or(LIMIT_DEFAULT),
        starting_after,
        ending_before,
    }
}

/// From when (included) to when (excluded) something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// The first second.
    pub from: i64,
    /// The first second after it.
    pub until: i64,
}

impl Created {
    /// Whenever it was made.
    pub const EVER: Self = Self {
        from: Timestamp::MIN.0,
        until: Timestamp::MAX.0,
    };

    /// As the bounds of a column of seconds; -1 twice where there are none.
    #[must_use]
    pub fn bounds(self) -> [Column; 2] {
        let bounds = match self == Self::EVER {
            true => [-1, -1],
            false => [self.from, self.until],
        };
        bounds.map(|at| Column::Number(Some(at)))
    }

    /// As the bounds of `sort`, which counts microseconds.
    #[must_use]
    pub fn columns(self) -> [Column; 2] {
        [self.from, self.until].map(|at| Column::Number(Some(at.saturating_mul(1_000_000))))
    }
}

/// Reads `created`: a moment, or an object of `gt`, `gte`, `lt`, `lte`.
pub fn created(params: &mut Params) -> Created {
    range(params, "created")
}

/// Reads a range of moments: a moment, or an object of `gt`, `gte`, `lt`, `lte`.
pub fn range(params: &mut Params, name: &str) -> Created {
    let Created {
        mut from,
        mut until,
    } = Created::EVER;
    let range = params.has_object(name);
    if range {
        params.object(name, |p| {
            if let Some(at) = p.moment("gt") {
                from = from.max(at.0.saturating_add(1));
            }
            if let Some(at) = p.moment("gte") {
                from = from.max(at.0);
            }
            if let Some(at) = p.moment("lt") {
                until = until.min(at.0);
            }
            if let Some(at) = p.moment("lte") {
                until = until.min(at.0.saturating_add(1));
            }
        });
    } else if let Some(at) = params.moment(name) {
        (from, until) = (at.0, at.0.saturating_add(1));
    }
    Created { from, until }
}

/// Reads a page of a list and renders it.
///
/// # Errors
/// When the cursor names nothing of this kind, or the store fails.
pub async fn answer<T: Document>(
    call: &Call,
    sql: ListSql,
    page: &PageRequest,
    filter: &[Column],
    url: &str,
    render: impl Fn(&T, bool) -> Value,
) -> Result<Value, Problem> {
    let mut connection = call.api.engine.store.read().await?;
    let cursors = [
        ("starting_after", &page.starting_after),
        ("ending_before", &page.ending_before),
    ];
    for (param, cursor) in cursors {
        let Some(id) = cursor else { continue };
        let found = document::load::<T>(&mut connection, &call.scope, id).await?;
        if found.is_none() {
            return Err(Problem::no_such(T::KIND, id, Some(param.to_owned())));
        }
    }
    let found: Page<T> = document::list(&mut connection, &call.scope, sql, page, filter).await?;
    let rows = found.rows.iter();
    let data = rows.map(|row| render(&row.value, call.scope.livemode));
    Ok(rendering::list(data.collect(), found.has_more, url))
}

/// A page of what is in memory already, in the order in which it stands.
///
/// # Errors
/// When the cursor names none of them.
pub fn part(
    kind: &str,
    values: Vec<Value>,
    page: &PageRequest,
    url: &str,
) -> Result<Value, Problem> {
    let place = |param: &str, id: &str| {
        let is_it = |value: &Value| value.get("id").and_then(Value::as_str) == Some(id);
        let place = values.iter().position(is_it);
        place.ok_or_else(|| Problem::no_such(kind, id, Some(param.to_owned())))
    };
    let limit = page.limit as usize;
    let (mut from, mut until) = (0, values.len());
    let mut more = false;
    if let Some(id) = &page.starting_after {
        from = place("starting_after", id)? + 1;
    }
    if let Some(id) = &page.ending_before {
        until = place("ending_before", id)?;
        more = until > limit;
        from = until.saturating_sub(limit);
    } else if until.saturating_sub(from) > limit {
        more = true;
        until = from + limit;
    }
    let part = values.get(from..until).unwrap_or_default().to_vec();
    Ok(rendering::list(part, more, url))
}
