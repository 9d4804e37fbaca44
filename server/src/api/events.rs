//! `/v1/events`

use perennial::id::EventId;
use serde_json::Value;

use super::exchange::{Call, Routes, get};
use super::paging;
use super::problem::Problem;
use crate::rendering;
use crate::store::event::{self, Filter};

const URL: &str = "/v1/events";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(URL, get("event list", list))
        .route("/v1/events/{id}", get("event", retrieve))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: EventId = call.id("event")?;
    let mut connection = call.api.engine.store.read().await?;
    let found = event::load(&mut connection, &call.scope, id.as_str()).await?;
    let found = found.ok_or_else(|| Problem::no_such("event", id.as_str(), None))?;
    Ok(rendering::event(&found, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, filter) = call.read(|p| {
        let created = paging::created(p);
        let kind = p.text("type");
        let kinds = p.texts("types", event::KINDS_MAX);
        if kind.is_some() && kinds.is_some() {
            let message = "You may only specify one of these parameters: type, types.";
            p.refuse("types", message);
        }
        let filter = Filter {
            kinds: kind.map(|kind| vec![kind]).or(kinds).unwrap_or_default(),
            from: created.from,
            until: created.until,
        };
        (paging::page(p), filter)
    })?;
    let mut connection = call.api.engine.store.read().await?;
    let cursors = [
        ("starting_after", &page.starting_after),
        ("ending_before", &page.ending_before),
    ];
    for (param, cursor) in cursors {
        let Some(id) = cursor else { continue };
        let found = event::load(&mut connection, &call.scope, id).await?;
        if found.is_none() {
            return Err(Problem::no_such("event", id, Some(param.to_owned())));
        }
    }
    let (events, more) = event::search(&mut connection, &call.scope, &page, &filter).await?;
    let events = events.iter();
    let data = events.map(|event| rendering::event(event, call.scope.livemode));
    Ok(rendering::list(data.collect(), more, URL))
}
