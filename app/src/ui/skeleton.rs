//! What stands where something will be, in its final size, while it is first loaded.

use crate::locale::words;
use leptos::prelude::*;
use stylers_macro::style_sheet;

/// Grey lines. They show only after 150 ms, so that a fast answer never flickers.
#[component]
pub fn Skeleton(
    /// How many lines.
    #[prop(default = 3)]
    lines: u8,
) -> impl IntoView {
    view! {
        <div class=concat!("skeleton ", style_sheet!("app/src/ui/skeleton.css")) role="status">
            <span class="unseen">{words().shell_loading()}</span>
            {(0..lines).map(|_| view! { <span class="line" aria-hidden="true"></span> }).collect::<Vec<_>>()}
        </div>
    }
}
