//! The column a page stands in, and its heading.

use super::{Glyph, Icon};
use crate::locale::words;
use leptos::{html, prelude::*};
use leptos_meta::Title;
use stylers_macro::style_sheet;

/// Whether a page has been shown already: the next one was navigated to, and takes the focus.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrival(StoredValue<bool>);

impl Arrival {
    /// Whether the page that asks was navigated to. The first one was loaded.
    fn by_navigation(self) -> bool {
        self.0
            .try_update_value(|shown| std::mem::replace(shown, true))
            .unwrap_or_default()
    }
}

/// The merchant's name, for the document's title. Empty until it is known.
///
/// Counted, not kept in the arena: the server asks for the title when the page is rendered, and by then its thread may
/// work in the arena of somebody else's page.
#[derive(Clone, Debug, Default)]
pub struct Merchant(pub ArcRwSignal<String>);

/// The column of a page. Its parts stand apart by white space.
#[component]
pub fn Page(
    /// Whether it needs the width of a table.
    #[prop(optional)]
    wide: bool,
    /// Header and sections.
    children: Children,
) -> impl IntoView {
    view! {
        <div class=concat!("page ", style_sheet!("app/src/ui/page.css")) data-wide=wide.then_some("")>
            {children()}
        </div>
    }
}

/// How many frames a heading is waited for until it stands in the document.
const FRAMES_MAX: u8 = 30;

/// Moves the focus to a heading as soon as it stands in the document, which a page transition may put off.
fn focus_when_there(heading: leptos::web_sys::HtmlHeadingElement, frames: u8) {
    if heading.is_connected() {
        // A heading that cannot take the focus is no worse than before.
        let _ = heading.focus();
    } else if frames > 0 {
        request_animation_frame(move || focus_when_there(heading, frames - 1));
    }
}

/// A text as `<Title>` takes it: it writes the server's HTML without escaping.
fn in_title(text: String) -> String {
    if cfg!(feature = "ssr") {
        text.replace('&', "&amp;").replace('<', "&lt;")
    } else {
        text
    }
}

/// The heading of a page, which also names the document. After a navigation inside the app it takes the focus, so that
/// a screen reader says where the reader has arrived.
#[component]
pub fn PageHeader(
    /// What the page is.
    #[prop(into)]
    title: String,
    /// Where the reader stands, in one sentence.
    #[prop(optional, into)]
    lead: Option<String>,
    /// The page above: its path and its name.
    #[prop(optional)]
    above: Option<(String, String)>,
    /// What stands beside the heading.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let heading = NodeRef::<html::H1>::new();
    let arrival = use_context::<Arrival>();
    Effect::new(move |_| {
        if let Some(heading) = heading.get()
            && arrival.is_some_and(Arrival::by_navigation)
        {
            focus_when_there(heading, FRAMES_MAX);
        }
    });
    let (words, merchant, page) = (words(), use_context::<Merchant>(), title.clone());
    // Asked for when all of the page is there, and so is the merchant's name.
    let document = move || {
        let merchant = merchant.as_ref().map(|merchant| merchant.0.get());
        in_title(match merchant.filter(|name| !name.is_empty()) {
            Some(merchant) => words.shell_title(&merchant, &page),
            None => page.clone(),
        })
    };
    view! {
        <Title text=document />
        <div class=concat!("page-header ", style_sheet!("app/src/ui/page_header.css"))>
            {above.map(|(href, name)| view! { <a class="above" href=href><Icon glyph=Glyph::ArrowBack />{name}</a> })}
            <div class="line">
                <h1 tabindex="-1" node_ref=heading>{title}</h1>
                {children.map(|children| children())}
            </div>
            {lead.map(|lead| view! { <p>{lead}</p> })}
        </div>
    }
}
