//! The HTML document around the app.

#[cfg(feature = "ssr")]
pub use document::shell;

/// Tells the stylesheet that scripts run, so that what needs them shows.
#[cfg(feature = "hydrate")]
pub fn mark_ready() {
    if let Some(root) = leptos::prelude::document().document_element() {
        // An element takes any attribute with a well-formed name; there is nothing to do if it didn't.
        let _ = root.set_attribute("data-ready", "");
    }
}

#[cfg(feature = "ssr")]
mod document {
    use crate::{App, locale::words, site::SiteAssets};
    use leptos::{nonce::use_nonce, prelude::*};
    use leptos_meta::MetaTags;
    use std::iter;

    /// The whole document of any page. Needs [`SiteAssets`] and [`crate::locale::Words`] in context; without them the
    /// page is English and bare.
    pub fn shell() -> impl IntoView {
        let assets = use_context::<SiteAssets>().unwrap_or_default();
        let locale = words().locale();
        view! {
            <!DOCTYPE html>
            <html lang=locale.tag() dir=locale.dir() data-theme=assets.appearance>
                <head>
                    <meta charset="utf-8" />
                    <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content" />
                    <meta name="color-scheme" content="light dark" />
                    <meta name="format-detection" content="telephone=no" />
                    <link rel="stylesheet" href=assets.css.clone() />
                    {assets.theme_css.clone().map(|href| view! { <link rel="stylesheet" href=href /> })}
                    <link rel="preload" href="/fonts/inter-5-latin.woff2" r#as="font" r#type="font/woff2" crossorigin="" />
                    <link rel="icon" href="/icons/icon.svg" r#type="image/svg+xml" />
                    {assets.js.clone().zip(assets.wasm.clone()).map(|(js, wasm)| start(&js, &wasm, &assets.parts))}
                    <MetaTags />
                </head>
                <body>
                    <App />
                </body>
            </html>
        }
    }

    /// The script that starts the wasm. A browser that refuses it still has the whole page.
    fn start(js: &str, wasm: &str, parts: &[String]) -> impl IntoView + use<> {
        let script = format!(
            "import start,{{hydrate}} from {js:?};start({{module_or_path:{wasm:?}}}).then(hydrate)"
        );
        // All at once, rather than each when the one before it asks for it.
        let modules = iter::once(wasm).chain(parts.iter().map(String::as_str));
        let modules: Vec<_> = modules
            .map(|path| view! { <link rel="preload" href=path.to_owned() r#as="fetch" r#type="application/wasm" crossorigin="" /> })
            .collect();
        view! {
            <link rel="modulepreload" href=js.to_owned() />
            {modules}
            <link rel="preload" href=words().locale().path() r#as="fetch" r#type="text/plain" crossorigin="" />
            <script r#type="module" nonce=use_nonce()>
                {script}
            </script>
        }
    }
}
