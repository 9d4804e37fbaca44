//! The column a page stands in, and its heading.

use super::{Glyph, Icon};
use crate::locale::words;
use leptos::{html, prelude::*};
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use stylers_macro::style_sheet;

/// Where the heading before stood, if there was one: a page that was navigated to takes the focus.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrival(StoredValue<Option<String>>);

impl Arrival {
    /// When the heading at `here` takes the focus, once it is there. The one that was loaded leaves it to the reader, and
    /// so does one that is drawn anew where it stood, unless what had the focus went away with that.
    fn focus(self, here: &str) -> Focus {
        let before = self
            .0
            .try_update_value(|before| before.replace(here.to_owned()));
        match before.flatten() {
            None => Focus::Left,
            Some(before) if before == here => Focus::TakenIfLost,
            Some(_) => Focus::Taken,
        }
    }
}

/// What a heading does about the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Left,
    TakenIfLost,
    Taken,
}

/// Whether the focus is nowhere: then the browser says it is on the body.
fn nothing_has_focus() -> bool {
    document()
        .active_element()
        .is_none_or(|element| element.tag_name().eq_ignore_ascii_case("body"))
}

/// Where the page stands, but for what was done there.
fn place() -> String {
    let location = use_location();
    let search = location.search.get_untracked();
    let mut place = location.pathname.get_untracked();
    for part in search.split('&').filter(|part| !part.starts_with("done=")) {
        place.push('&');
        place.push_str(part);
    }
    place
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

/// How many frames a heading is waited for until it stands in the document: as long as a transition may take where there
/// are few frames a second.
const FRAMES_MAX: u16 = 300;

/// Moves the focus to a heading as soon as it stands in the document, which a page transition may put off.
fn focus_when_there(heading: leptos::web_sys::HtmlHeadingElement, focus: Focus, frames: u16) {
    if !heading.is_connected() {
        if frames > 0 {
            request_animation_frame(move || focus_when_there(heading, focus, frames - 1));
        }
    } else if focus == Focus::Taken || nothing_has_focus() {
        // A heading that cannot take the focus is no worse than before.
        let _ = heading.focus();
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
/// a screen reader says where the reader has arrived. What is done on a page leaves the focus where it was.
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
    let arrival = use_context::<Arrival>().map(|arrival| (arrival, place()));
    Effect::new(move |_| {
        if let Some(heading) = heading.get()
            && let Some((arrival, here)) = &arrival
            && let focus = arrival.focus(here)
            && focus != Focus::Left
        {
            focus_when_there(heading, focus, FRAMES_MAX);
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
