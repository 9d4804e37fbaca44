//! Where the parts of a page that are not HTML lie.

/// Names the sources that these pages were built from. What the browser loads must be of the same, or it can't take
/// over the pages that the server writes.
pub const BUILD: &str = include_str!(concat!(env!("OUT_DIR"), "/build.txt"));

/// The paths of the files that a page loads, each named by its content so that it may be kept for ever. The server
/// provides it in context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteAssets {
    /// The JavaScript module that starts the wasm; `None` serves pages that stay as they are.
    pub js: Option<String>,
    /// The wasm that `js` starts.
    pub wasm: Option<String>,
    /// What the page needs beside `wasm`: the files of the part it is in, see [`crate::portal::part`].
    pub parts: Vec<String>,
    /// The stylesheet of [`crate::style::CSS`].
    pub css: String,
    /// The merchant's own tokens, a sheet of custom properties.
    pub theme_css: Option<String>,
    /// `light` or `dark` where the merchant allows only one of them.
    pub appearance: Option<&'static str>,
}
