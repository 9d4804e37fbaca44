//! Looks at many things of which one may fail by itself: it is set aside with its reason, shown by
//! `perennial status`, and the others go on. For work that is not found by due rows; those have it in
//! `duties.rs`.

use std::collections::HashMap;

use perennial::calendar::Timestamp;

use super::{Engine, Refused};
use crate::store::failure::{self, Place};

/// The first pause before work that failed is tried again, in seconds; each is twice the one before.
const FAILURE_SECONDS_MIN: i64 = 60;
/// The longest pause, in seconds.
const FAILURE_SECONDS_MAX: i64 = 6 * 3_600;
/// Failures that a look knows of beforehand; what is beyond stays noted until it is tried again.
pub(super) const FAILURES_KNOWN_MAX: i64 = 10_000;

/// What became of the pieces of one look.
pub(crate) struct Aside<'a> {
    engine: &'a Engine,
    kind: &'static str,
    known: HashMap<Place, i64>,
    failed: Vec<failure::Failed>,
    mended: Vec<Place>,
}

impl Engine {
    /// Begins a look at things of one kind.
    pub(crate) async fn looking(&self, kind: &'static str) -> Result<Aside<'_>, Refused> {
        let mut read = self.store.read().await?;
        Ok(Aside {
            engine: self,
            kind,
            known: failure::known(&mut read, kind, FAILURES_KNOWN_MAX).await?,
            failed: Vec::new(),
            mended: Vec::new(),
        })
    }
}

impl Aside<'_> {
    /// Notes what became of one piece. Whether it was done.
    ///
    /// # Errors
    /// What says nothing about the piece itself: the database is out of reach, or somebody else was
    /// faster. Then the look is over, and the pieces wait.
    pub(crate) fn note<T>(
        &mut self,
        place: Place,
        result: Result<T, Refused>,
    ) -> Result<bool, Refused> {
        match result {
            Ok(_) => {
                if self.known.contains_key(&place) {
                    self.mended.push(place);
                }
                Ok(true)
            }
            Err(error) if error.is_outage() || error.is_overtaken() => Err(error),
            Err(error) => {
                let before = self.known.get(&place).copied().unwrap_or(0);
                let now = self.engine.real_now();
                self.failed
                    .push(failed(self.kind, place, before, now, &error));
                Ok(false)
            }
        }
    }

    /// Writes what was noted.
    ///
    /// # Errors
    /// When the database fails; it will fail again, and be noted then.
    pub(crate) async fn write(self) -> Result<(), Refused> {
        if !self.failed.is_empty() || !self.mended.is_empty() {
            failure::note(&self.engine.store, self.kind, &self.failed, &self.mended).await?;
        }
        Ok(())
    }
}

/// A piece that failed after it had failed `before` times, with the moment of its next try.
pub(super) fn failed(
    kind: &str,
    place: Place,
    before: i64,
    now: Timestamp,
    error: &Refused,
) -> failure::Failed {
    let doubled = FAILURE_SECONDS_MIN << before.clamp(0, 16);
    let next_at = Timestamp(now.0.saturating_add(doubled.min(FAILURE_SECONDS_MAX)));
    tracing::error!(kind, id = %place.id, %error, ?next_at, "work failed and is set aside");
    failure::Failed {
        place,
        reason: error.to_string(),
        now,
        next_at,
    }
}
