//! A letter as HTML that mail programs of today and of long ago show alike: one column, styles on the
//! elements, tables for nothing but tables. In the merchant's colours, on light and on dark ground.

use std::fmt::Write as _;

use app::locale::Locale;
use perennial::theme::{Appearance, Font, Mode, Palette, Rgb};

use super::letter::{Frame, Letter, Tone};

mod card;

/// The widest a letter gets, in pixels.
const WIDTH_PX: u32 = 560;
/// How often nothing stands behind the preview, so that lists of mails don't fill it up with what follows.
const PREVIEW_FILL: usize = 60;

/// The whole document.
pub(super) fn document(letter: &Letter, frame: &Frame<'_>) -> String {
    let words = letter.words;
    let look = Look::of(frame, words.locale());
    let (tag, dir) = (words.locale().tag(), words.locale().dir());
    let schemes = look.schemes;
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"{tag}\" dir=\"{dir}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"{schemes}\">\n\
         <meta name=\"supported-color-schemes\" content=\"{schemes}\">\n\
         <title>{}</title>\n<style>{}</style>\n</head>\n\
         <body class=\"ground\" style=\"margin:0;padding:0;background:{};-webkit-text-size-adjust:100%\">\n",
        escaped(&letter.subject),
        look.sheet,
        look.light.surface_sunken,
    );
    let _ = writeln!(
        html,
        "<div style=\"display:none;max-height:0;overflow:hidden\" aria-hidden=\"true\">{}{}</div>",
        escaped(&letter.preview),
        "&#847;&zwnj;&nbsp;".repeat(PREVIEW_FILL)
    );
    // Old Outlook knows no widest width.
    let _ = writeln!(
        html,
        "<!--[if mso]><table role=\"presentation\" align=\"center\" width=\"{WIDTH_PX}\"><tr><td><![endif]-->"
    );
    let _ = writeln!(
        html,
        "<div role=\"article\" aria-roledescription=\"email\" aria-label=\"{}\" lang=\"{tag}\" dir=\"{dir}\" \
         style=\"max-width:{WIDTH_PX}px;margin:0 auto;padding:24px 12px;font-family:{};font-size:16px;\
         line-height:1.55;color:{}\" class=\"text\">",
        escaped(&letter.subject),
        look.font,
        look.light.text,
    );
    head(&mut html, frame, &look);
    card::write(&mut html, letter, frame, &look);
    foot(&mut html, letter, frame, &look);
    html.push_str("</div>\n<!--[if mso]></td></tr></table><![endif]-->\n</body>\n</html>\n");
    html
}

/// What the styles need of a brand.
struct Look {
    light: Palette,
    /// Rules for dark ground; programs that know none show the light one.
    sheet: String,
    schemes: &'static str,
    font: String,
    radius_px: u8,
}

impl Look {
    fn of(frame: &Frame<'_>, locale: Locale) -> Self {
        let theme = frame.theme;
        let dark = Palette::of(theme, Mode::Dark);
        let (light, schemes) = match theme.appearance {
            Appearance::Light => (Palette::of(theme, Mode::Light), "light"),
            Appearance::Dark => (dark, "dark"),
            Appearance::Auto => (Palette::of(theme, Mode::Light), "light dark"),
        };
        let mut sheet = format!(
            ":root{{color-scheme:{schemes};supported-color-schemes:{schemes}}}\
             a{{text-underline-offset:2px}}.button:hover{{background:{}!important}}\
             .night{{display:none}}\
             @media(max-width:480px){{.inner{{padding:24px 20px 8px!important}}\
             .button{{display:block!important;text-align:center}}}}",
            light.action_hover
        );
        if theme.appearance == Appearance::Auto {
            let _ = write!(
                sheet,
                "@media(prefers-color-scheme:dark){{{}}}",
                night(&dark)
            );
        }
        Self {
            light,
            sheet,
            schemes,
            font: family(theme.font, locale),
            radius_px: theme.radius_px.min(16),
        }
    }
}

/// The rules that turn a light letter dark.
fn night(dark: &Palette) -> String {
    let mut rules = format!(
        ".ground{{background:{}!important}}.card{{background:{}!important;border-color:{}!important}}\
         .text,.text h1,.text td,.text th{{color:{}!important}}.quiet,.text .quiet{{color:{}!important}}\
         .line{{border-color:{}!important}}.link{{color:{}!important}}",
        dark.surface_sunken,
        dark.surface_raised,
        dark.line,
        dark.text,
        dark.text_quiet,
        dark.line,
        dark.link,
    );
    let _ = write!(
        rules,
        ".button{{background:{}!important;color:{}!important}}.button:hover{{background:{}!important}}\
         .accent{{background:{}!important}}.badge{{background:{}!important;color:{}!important}}.day{{display:none!important}}\
         .night{{display:inline-block!important}}",
        dark.action, dark.on_action, dark.action_hover, dark.accent, dark.action, dark.on_action,
    );
    for tone in Tone::ALL {
        let (name, text, ground) = hue(tone, dark);
        let _ = write!(
            rules,
            ".{name}{{background:{ground}!important;color:{text}!important}}"
        );
    }
    rules
}

/// How a tone is called in the sheet, its text and its ground.
fn hue(tone: Tone, colours: &Palette) -> (&'static str, Rgb, Rgb) {
    match tone {
        Tone::Calm => ("calm", colours.info, colours.info_surface),
        Tone::Good => ("good", colours.positive, colours.positive_surface),
        Tone::Careful => ("careful", colours.caution, colours.caution_surface),
        Tone::Urgent => ("urgent", colours.danger, colours.danger_surface),
    }
}

/// Typefaces that readers have; nothing is loaded from anywhere. Those of Chinese are named for letters in Chinese alone:
/// their apostrophes and dashes are as wide as its characters.
fn family(font: Font, locale: Locale) -> String {
    let (latin, chinese, any) = match font {
        Font::Sans | Font::System => (
            "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial",
            "'PingFang SC','Microsoft YaHei','Noto Sans CJK SC'",
            "sans-serif",
        ),
        Font::Serif => (
            "Georgia,'Times New Roman'",
            "'Songti SC','Noto Serif CJK SC'",
            "serif",
        ),
        Font::Rounded => (
            "ui-rounded,'SF Pro Rounded',Nunito,'Segoe UI',Arial",
            "'PingFang SC','Noto Sans CJK SC'",
            "sans-serif",
        ),
        Font::Mono => (
            "ui-monospace,'SF Mono',Menlo,Consolas",
            "'PingFang SC','Noto Sans Mono CJK SC'",
            "monospace",
        ),
    };
    match locale {
        Locale::Zh => format!("{latin},{chinese},{any}"),
        _ => format!("{latin},{any}"),
    }
}

/// The merchant's logo, or its name where there is none that mail programs show.
fn head(html: &mut String, frame: &Frame<'_>, look: &Look) {
    let theme = frame.theme;
    let shown = |logo: Option<&str>| logo.and_then(|logo| picture(frame, logo));
    let (light, dark) = (theme.logo.as_deref(), theme.logo_dark.as_deref());
    // The logo of documents is made for white paper.
    let day = shown(light).or_else(|| shown(frame.document_logo));
    let night = shown(dark.or(light));
    html.push_str("<div style=\"padding:0 8px 20px\">");
    match theme.appearance {
        Appearance::Light => logo_or_name(html, frame, look, day.as_deref()),
        Appearance::Dark => logo_or_name(html, frame, look, night.as_deref()),
        Appearance::Auto if day == night => logo_or_name(html, frame, look, day.as_deref()),
        Appearance::Auto => {
            html.push_str("<span class=\"day\">");
            logo_or_name(html, frame, look, day.as_deref());
            // Old Outlook shows what others hide, unless it is told in its own words.
            html.push_str("</span><span class=\"night\" style=\"display:none;mso-hide:all\">");
            logo_or_name(html, frame, look, night.as_deref());
            html.push_str("</span>");
        }
    }
    html.push_str("</div>\n");
}

fn logo_or_name(html: &mut String, frame: &Frame<'_>, look: &Look, logo: Option<&str>) {
    let Some(url) = logo else {
        return name(html, frame, look);
    };
    let _ = write!(
        html,
        "<img src=\"{}\" alt=\"{}\" height=\"32\" style=\"display:inline-block;height:32px;max-width:240px;\
         object-fit:contain;object-position:left;border:0\">",
        escaped(url),
        escaped(frame.merchant)
    );
}

/// The first letter of a name in the brand's colour, and the name.
fn name(html: &mut String, frame: &Frame<'_>, look: &Look) {
    let first = frame.merchant.chars().find(|c| c.is_alphanumeric());
    let (light, radius) = (&look.light, look.radius_px.min(8));
    if let Some(first) = first {
        let _ = write!(
            html,
            "<span class=\"badge\" aria-hidden=\"true\" style=\"display:inline-block;width:32px;height:32px;\
             line-height:32px;border-radius:{radius}px;background:{};color:{};text-align:center;\
             font-size:17px;font-weight:700;vertical-align:middle;margin-inline-end:10px\">{}</span>",
            light.action,
            light.on_action,
            escaped(&first.to_uppercase().to_string())
        );
    }
    let _ = write!(
        html,
        "<span class=\"text\" style=\"font-size:18px;font-weight:700;letter-spacing:-0.01em;\
         vertical-align:middle;overflow-wrap:anywhere;color:{}\">{}</span>",
        light.text,
        escaped(frame.merchant)
    );
}

/// The whole address of a picture. Mail programs show no SVG, so there is none of them.
fn picture(frame: &Frame<'_>, logo: &str) -> Option<String> {
    let path = logo.split(['?', '#']).next().unwrap_or_default();
    if path.to_ascii_lowercase().ends_with(".svg") {
        return None;
    }
    Some(match logo.strip_prefix('/') {
        Some(path) => format!("{}/{path}", frame.origin),
        None => logo.to_owned(),
    })
}

/// Who sends it, why, and how to stop it.
fn foot(html: &mut String, letter: &Letter, frame: &Frame<'_>, look: &Look) {
    let words = letter.words;
    let quiet = look.light.text_quiet;
    let _ = writeln!(
        html,
        "<div class=\"quiet\" style=\"padding:20px 8px 0;font-size:13px;line-height:1.5;color:{quiet}\">"
    );
    let small = |html: &mut String, text: &str| {
        let _ = writeln!(html, "<p style=\"margin:0 0 8px\">{text}</p>");
    };
    if let Some(text) = frame.personal(words) {
        small(html, &escaped(&text));
    }
    small(
        html,
        &escaped(&sentences(words.locale(), &frame.reasons(words))),
    );
    if let Some(url) = frame.unsubscribe_url {
        let link = format!(
            "<a class=\"link\" href=\"{}\" style=\"color:{}\">{}</a>",
            escaped(url),
            look.light.link,
            escaped(words.letter_stop())
        );
        small(html, &link);
    }
    let imprint: Vec<&str> = std::iter::once(frame.merchant)
        .chain(frame.imprint.iter().map(String::as_str))
        .collect();
    small(html, &escaped(&imprint.join(" · ")));
    html.push_str("</div>\n");
}

/// Sentences one after another: Chinese sets no space between them.
fn sentences(locale: Locale, each: &[String]) -> String {
    each.join(if locale == Locale::Zh { "" } else { " " })
}

/// Text that keeps its own direction among words of the other one.
fn isolated(text: &str) -> String {
    format!("<bdi>{}</bdi>", escaped(text))
}

/// Text that may stand in an element or a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
