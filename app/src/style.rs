//! The one stylesheet, joined from `style/*.css` and every component's own sheet by `app/build/styles.rs`.

include!(concat!(env!("OUT_DIR"), "/style.rs"));

/// The text of the stylesheet.
pub const CSS: &str = include_str!(concat!(env!("OUT_DIR"), "/app.css"));

/// Changes whenever [`CSS`] does: 16 hexadecimal digits. The server serves the sheet for ever under a path with it.
pub const CSS_HASH: &str = HASH;
