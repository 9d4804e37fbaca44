//! The postman: sends the mails that are due.
//!
//! It sleeps until a mail is due, until somebody rings, or for some seconds. While nobody takes mail
//! it tries less and less often; the mails wait, none is lost or blamed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::service::Engine;
use crate::service::mails::Post;

/// The longest sleep, in seconds: other processes don't ring here.
const SLEEP_SECONDS_MAX: u64 = 10;
/// The shortest pause between two rounds, in milliseconds, so that a burst of mails is one round.
const PAUSE_MILLIS: u64 = 250;
/// Mails in one round.
const ROUND_MAX: u32 = 64;
/// The first pause after nobody took mail, in seconds; each further one is twice as long.
const UNREACHABLE_SECONDS: u64 = 5;
/// The longest of these pauses, in seconds.
const UNREACHABLE_SECONDS_MAX: u64 = 300;
/// The first pause after the database failed, in seconds; each further one is twice as long, up to
/// [`SLEEP_SECONDS_MAX`].
const OUTAGE_SECONDS: u64 = 1;
/// Rounds after which the merchants' rules are read anew: at least every so many sleeps.
const ROUNDS_WITH_SETTINGS: u32 = 6;
/// Rounds after which the folder is looked after.
const ROUNDS_WITH_FOLDER: u32 = 360;

/// Sends mail until `stop` says so; what is under way then is finished first.
pub async fn run(engine: Engine, post: Arc<Post>, mut stop: watch::Receiver<bool>) {
    let (mut rounds, mut failures) = (0_u32, Failures::default());
    while !*stop.borrow() {
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(ROUNDS_WITH_SETTINGS) {
            post.forget_settings();
        }
        if rounds.is_multiple_of(ROUNDS_WITH_FOLDER)
            && let Err(error) = post.folder().tidy().await
        {
            tracing::error!(%error, "the mail folder can't be tidied");
        }
        let nap = round(&engine, &mut failures).await;
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = rung(&post, &failures) => {}
            // An error means that nobody is left to say stop.
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Rounds in a row that failed.
#[derive(Default)]
struct Failures {
    /// Because nobody took mail.
    unreachable: u32,
    /// Because of the database.
    outages: u32,
}

/// Waits until somebody rings. While nobody takes mail or keeps what became of it, ringing is in vain.
async fn rung(post: &Post, failures: &Failures) {
    if failures.unreachable > 0 || failures.outages > 0 {
        return std::future::pending().await;
    }
    tokio::time::sleep(Duration::from_millis(PAUSE_MILLIS)).await;
    post.bell().notified().await;
}

/// Sends what is due, and says how long to sleep.
async fn round(engine: &Engine, failures: &mut Failures) -> Duration {
    let longest = Duration::from_secs(SLEEP_SECONDS_MAX);
    let sent = match engine.send_mails(ROUND_MAX).await {
        Ok(sent) => sent,
        Err(error) => {
            tracing::error!(%error, "mails could not be sent");
            let seconds = OUTAGE_SECONDS << failures.outages.min(4);
            failures.outages = failures.outages.saturating_add(1);
            return Duration::from_secs(seconds.min(SLEEP_SECONDS_MAX));
        }
    };
    failures.outages = 0;
    if let Some(reason) = sent.unreachable {
        let seconds = UNREACHABLE_SECONDS << failures.unreachable.min(6);
        let seconds = seconds.min(UNREACHABLE_SECONDS_MAX);
        failures.unreachable = failures.unreachable.saturating_add(1);
        tracing::error!(reason, seconds, "mail can't leave; it waits");
        return Duration::from_secs(seconds);
    }
    failures.unreachable = 0;
    match engine.next_mail_due_at().await {
        Ok(Some(at)) => {
            let seconds = at.0.saturating_sub(engine.now().0);
            match u64::try_from(seconds) {
                Ok(0) | Err(_) => Duration::from_millis(PAUSE_MILLIS),
                Ok(seconds) => Duration::from_secs(seconds).min(longest),
            }
        }
        Ok(None) => longest,
        Err(error) => {
            tracing::error!(%error, "the next mail can't be found");
            longest
        }
    }
}
