//! While the pages are being developed, an open one loads itself anew as soon as the server was built anew.

use leptos::{prelude::*, server_fn::request::browser::Request, task::spawn_local};
use std::{cell::OnceCell, rc::Rc, time::Duration};

/// How often the server is asked whether it is still the same.
const EVERY: Duration = Duration::from_millis(700);

/// Watches until the page goes.
pub fn watch() {
    let first = Rc::new(OnceCell::new());
    let ask = move || spawn_local(look(Rc::clone(&first)));
    // It fails only where there are no timers; then whoever develops presses the key.
    let _ = set_interval_with_handle(ask, EVERY);
}

/// Asks which process answers; while the server is being built, none does.
async fn look(first: Rc<OnceCell<String>>) {
    let Ok(answer) = Request::get("/healthz").send().await else {
        return;
    };
    let process = answer.headers().get("x-process");
    if process.is_some_and(|process| *first.get_or_init(|| process.clone()) != process) {
        // A browser that refuses to reload leaves the page as it is.
        let _ = window().location().reload();
    }
}
