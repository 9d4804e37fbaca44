//! Looks after test clocks, beside all other work: an advance may take long, and nobody else's
//! renewal waits for it.

use std::time::Duration;

use tokio::sync::watch;

use crate::service::Engine;

/// The longest sleep, in seconds: other processes don't ring here.
const SLEEP_SECONDS_MAX: u64 = 5;

/// Works until `stop` says so. An advance that is under way then ends after its piece of work; the
/// next process goes on with it.
pub async fn run(engine: Engine, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let nap = sweep(&engine, &stop).await;
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = engine.clocks.notified() => {}
            // An error means that nobody is left to say stop.
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Does what is due, and says how long to sleep.
async fn sweep(engine: &Engine, stop: &watch::Receiver<bool>) -> Duration {
    let longest = Duration::from_secs(SLEEP_SECONDS_MAX);
    if let Err(error) = engine.tend_test_clocks(stop).await {
        tracing::error!(%error, "test clocks could not be found");
        return longest;
    }
    match engine.next_test_clock_due_at().await {
        Ok(Some(at)) => {
            let seconds = at.0.saturating_sub(engine.real_now().0);
            let seconds = u64::try_from(seconds).unwrap_or(0);
            Duration::from_secs(seconds).clamp(Duration::from_secs(1), longest)
        }
        _ => longest,
    }
}
