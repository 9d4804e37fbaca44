//! Every component in every state of the gallery, rendered, and the rules that its HTML must keep.

use crate::{locale::Locale, portal::gallery::Gallery};
use leptos::prelude::*;
use leptos_meta::ServerMetaContext;
use std::collections::BTreeSet;

/// The gallery as the server sends it.
fn gallery(locale: Locale) -> String {
    Owner::new().with(|| {
        let (meta, _output) = ServerMetaContext::new();
        provide_context(meta);
        leptos_meta::provide_meta_context();
        provide_context(locale.words());
        view! { <Gallery /> }.to_html()
    })
}

/// The values of an attribute, in order.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!(" {name}=\"");
    html.split(mark.as_str())
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

/// The opening tags of an element.
fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!("<{name} ");
    html.split(mark.as_str())
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .collect()
}

#[test]
fn nothing_needs_inline_style_or_script() {
    for locale in Locale::ALL {
        let html = gallery(*locale);
        for forbidden in [
            " style=",
            "<style",
            "<script",
            " onclick=",
            "javascript:",
            "src=\"http",
            "href=\"http",
        ] {
            assert!(!html.contains(forbidden), "{locale:?}: {forbidden}");
        }
    }
}

#[test]
fn ids_are_unique_and_what_they_are_named_for_exists() {
    let html = gallery(Locale::En);
    let ids = attributes(&html, "id");
    let known: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(known.len(), ids.len(), "an id is there twice: {ids:?}");
    assert!(known.len() > 10, "the gallery has lost its fields");
    for name in ["for", "aria-controls"] {
        for id in attributes(&html, name) {
            assert!(known.contains(id), "{name}={id} names nothing");
        }
    }
    // A hint may be absent; the error's place never is, so that it is announced when it fills.
    for ids in attributes(&html, "aria-describedby")
        .iter()
        .filter(|ids| ids.contains("-error"))
    {
        let error = ids.split(' ').find(|id| id.ends_with("-error"));
        assert!(error.is_some_and(|id| known.contains(id)), "{ids}");
    }
}

#[test]
fn every_control_has_a_name() {
    let html = gallery(Locale::En);
    let labelled: BTreeSet<_> = attributes(&html, "for").into_iter().collect();
    for name in ["input", "select", "textarea"] {
        for tag in tags(&html, name) {
            let tag = format!(" {tag}");
            let id = attributes(&tag, "id").first().copied();
            // A radio stands inside its label; everything else is named by its id.
            let inside = tag.contains("type=\"radio\"");
            assert!(
                inside || id.is_some_and(|id| labelled.contains(id)),
                "no label: {tag}"
            );
        }
    }
    for tag in html.split("<button").skip(1) {
        let inside = tag.split("</button>").next().unwrap_or_default();
        let text = inside
            .split('>')
            .skip(1)
            .filter_map(|part| part.split('<').next())
            .any(|text| !text.trim().is_empty());
        assert!(
            text || inside.contains("aria-label="),
            "a button without words: {inside}"
        );
    }
}

#[test]
fn drawings_are_hidden_from_ears() {
    let html = gallery(Locale::En);
    for tag in tags(&html, "svg")
        .iter()
        .filter(|tag| tag.contains("icon "))
    {
        assert!(tag.contains("aria-hidden=\"true\""), "{tag}");
    }
}

#[test]
fn every_token_that_is_used_is_defined() {
    let css = crate::style::CSS;
    let defined: BTreeSet<_> = css
        .match_indices("--p-")
        .filter_map(|(at, _)| {
            let rest = css.get(at..)?;
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))?;
            rest.get(end..)?
                .starts_with(':')
                .then_some(rest.get(..end)?)
        })
        .collect();
    for used in css.split("var(").skip(1) {
        let name = used.split([')', ',']).next().unwrap_or_default();
        assert!(defined.contains(name), "{name} is used and nowhere defined");
    }
    assert!(defined.len() > 40, "the tokens are gone");
}

#[test]
fn the_stylesheet_asks_nobody_else() {
    let css = crate::style::CSS;
    for forbidden in ["http:", "https:", "@import", "//"] {
        assert!(!css.contains(forbidden), "{forbidden}");
    }
    assert_eq!(css.matches('{').count(), css.matches('}').count());
    assert_eq!(crate::style::CSS_HASH.len(), 16);
}
