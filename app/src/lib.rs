//! What people see: the pages of Perennial, rendered on the server and brought to life in the browser.
//!
//! The server calls [`shell()`] and implements [`port::Portal`]; the browser calls `hydrate`. In between is ordinary
//! HTML: every page is complete, and every form works, before the wasm arrives and without it.

pub mod app;
pub mod call;
#[cfg(feature = "ssr")]
pub mod country;
pub mod locale;
pub mod port;
pub mod portal;
pub mod refusal;
#[cfg(all(debug_assertions, feature = "hydrate"))]
mod reloading;
pub mod shell;
pub mod site;
#[cfg(feature = "ssr")]
pub mod style;
pub mod ui;
pub mod viewer;
pub mod wire;

pub use app::App;
#[cfg(feature = "ssr")]
pub use shell::shell;

/// Brings the server's HTML to life. The page's script calls it once the wasm is there.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    let path = leptos::prelude::window().location().pathname();
    // It can only have been set already, to the same.
    let _ = any_spawner::Executor::init_wasm_bindgen();
    leptos::task::spawn_local(async move {
        // All are on their way already, for the page names them. Where one does not come, the page stays as the server
        // sent it, which is enough to go on.
        let words = locale::loading::bring(app::first_locale()).await;
        let part = match portal::part::Part::at(&path.unwrap_or_default()) {
            Some(part) => part.bring().await,
            None => Ok(()),
        };
        if words.is_ok() && part.is_ok() {
            leptos::mount::hydrate_body(App);
            shell::mark_ready();
            #[cfg(debug_assertions)]
            reloading::watch();
        }
    });
}
