//! `/v1/test_helpers/test_clocks`

use perennial::id::TestClockId;
use perennial::test_clock::TestClock;
use serde_json::Value;

use super::exchange::{Call, Routes, delete, get, post};
use super::paging;
use super::problem::Problem;
use crate::rendering::{self, whole};
use crate::service::test_clocks::NewTestClock;
use crate::store::listing;

const URL: &str = "/v1/test_helpers/test_clocks";
const KIND: &str = "test_helpers.test_clock";

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            URL,
            get("test_helpers.test_clock list", list).merge(post(KIND, create)),
        )
        .route(
            "/v1/test_helpers/test_clocks/{id}",
            get(KIND, retrieve).merge(delete("", remove)),
        )
        .route(
            "/v1/test_helpers/test_clocks/{id}/advance",
            post(KIND, advance),
        )
}

async fn create(mut call: Call) -> Result<Value, Problem> {
    let new = call.read(|p| {
        let (at, name) = (p.moment("frozen_time"), p.text("name"));
        let customer = p.id("customer", "customer");
        p.required("frozen_time", at)
            .map(|frozen_time| NewTestClock {
                frozen_time,
                name,
                customer,
            })
    })?;
    let new = new.ok_or_else(Problem::internal)?;
    let clock = call.api.engine.create_test_clock(&call.scope, new).await?;
    Ok(whole::test_clock(&clock, call.scope.livemode))
}

async fn retrieve(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let clock = call.find::<TestClock>().await?;
    Ok(whole::test_clock(&clock, call.scope.livemode))
}

async fn list(mut call: Call) -> Result<Value, Problem> {
    let (page, created) = call.read(|p| (paging::page(p), paging::created(p)))?;
    let filter = created.columns();
    let (sql, show) = (listing::TEST_CLOCKS, whole::test_clock);
    paging::answer(&call, sql, &page, &filter, URL, show).await
}

async fn advance(mut call: Call) -> Result<Value, Problem> {
    let id: TestClockId = call.id(KIND)?;
    let target = call.read(|p| {
        let target = p.moment("frozen_time");
        p.required("frozen_time", target)
    })?;
    let target = target.ok_or_else(Problem::internal)?;
    let engine = &call.api.engine;
    let clock = engine.advance_test_clock(&call.scope, &id, target).await?;
    Ok(whole::test_clock(&clock, call.scope.livemode))
}

async fn remove(mut call: Call) -> Result<Value, Problem> {
    call.no_params()?;
    let id: TestClockId = call.id(KIND)?;
    call.api.engine.delete_test_clock(&call.scope, &id).await?;
    Ok(rendering::deleted(KIND, id.as_str()))
}
