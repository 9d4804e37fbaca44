//! From a merchant's choices to every colour on a page. The names are those of `style/tokens.css`.

use super::contrast::{CONTROL_HUNDREDTHS, TEXT_HUNDREDTHS};
use super::{Appearance, Font, Rgb, Theme};

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Dark text on light ground.
    Light,
    /// Light text on dark ground.
    Dark,
}

/// The least luminance of a light ground: about `#e6e6e6`.
const LIGHT_GROUND_MIN: u64 = 7_800_000_000;
/// The most luminance of a dark ground: about `#262626`.
const DARK_GROUND_MAX: u64 = 190_000_000;
const DARK_GROUND: Rgb = Rgb(0x11, 0x15, 0x13);
const LIGHT_TEXT: Rgb = Rgb(0xe9, 0xee, 0xeb);
/// The largest radius, in px.
const RADIUS_PX_MAX: u8 = 16;

/// All colours of one mode. Text reaches 4.5 to 1 on every ground it stands on, controls and focus
/// rings 3 to 1, whatever the merchant chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the token of its name in style/tokens.css"
)]
pub struct Palette {
    pub brand: Rgb,
    pub accent: Rgb,
    pub surface: Rgb,
    pub surface_sunken: Rgb,
    pub surface_raised: Rgb,
    pub surface_hover: Rgb,
    pub selected: Rgb,
    pub text: Rgb,
    pub text_quiet: Rgb,
    pub line: Rgb,
    pub line_strong: Rgb,
    pub action: Rgb,
    pub action_hover: Rgb,
    pub action_active: Rgb,
    pub on_action: Rgb,
    pub link: Rgb,
    pub focus: Rgb,
    pub positive: Rgb,
    pub positive_surface: Rgb,
    pub caution: Rgb,
    pub caution_surface: Rgb,
    pub danger: Rgb,
    pub danger_surface: Rgb,
    pub on_danger: Rgb,
    pub info: Rgb,
    pub info_surface: Rgb,
}

/// A status hue on light and on dark ground, and how much of it tints its own ground, in percent.
struct Status {
    light: Rgb,
    dark: Rgb,
    tint_percent: u8,
}

const POSITIVE: Status = Status {
    light: Rgb(0x17, 0x69, 0x3f),
    dark: Rgb(0x72, 0xc6, 0x99),
    tint_percent: 9,
};
const CAUTION: Status = Status {
    light: Rgb(0x83, 0x52, 0x00),
    dark: Rgb(0xdf, 0xb2, 0x60),
    tint_percent: 10,
};
const DANGER: Status = Status {
    light: Rgb(0xb0, 0x23, 0x1b),
    dark: Rgb(0xf2, 0x8b, 0x80),
    tint_percent: 8,
};
const INFO: Status = Status {
    light: Rgb(0x22, 0x5a, 0x99),
    dark: Rgb(0x8a, 0xb6, 0xec),
    tint_percent: 8,
};

impl Status {
    /// The hue as text, and its own ground.
    fn on(&self, mode: Mode, text: Rgb, surface: Rgb, grounds: &[Rgb]) -> (Rgb, Rgb) {
        let hue = if mode == Mode::Light {
            self.light
        } else {
            self.dark
        };
        let own = hue.mixed(self.tint_percent, surface);
        let mut all = grounds.to_vec();
        all.push(own);
        (hue.until_it_stands_out(text, &all, TEXT_HUNDREDTHS), own)
    }
}

impl Palette {
    /// Derives the colours of `mode` from a theme.
    #[must_use]
    pub fn of(theme: &Theme, mode: Mode) -> Self {
        let (text, surface) = match mode {
            Mode::Light => (Rgb::SOFT_BLACK, light_ground(theme.background)),
            Mode::Dark => (LIGHT_TEXT, dark_ground(theme)),
        };
        let (surface_sunken, surface_raised) = match mode {
            Mode::Light => (text.mixed(3, surface), surface),
            Mode::Dark => (Rgb::BLACK.mixed(22, surface), text.mixed(6, surface)),
        };
        let surface_hover = text.mixed(5, surface);
        let grounds = [surface, surface_sunken, surface_raised, surface_hover];
        let action = theme
            .brand
            .until_it_stands_out(text, &grounds, CONTROL_HUNDREDTHS);
        let on_action = action.readable_on();
        // Hover and active move away from the text on them, so that it stays readable.
        let away = if on_action == Rgb::WHITE {
            Rgb::BLACK
        } else {
            Rgb::WHITE
        };
        let selected = action.mixed(8, surface);
        let all = [
            surface,
            surface_sunken,
            surface_raised,
            surface_hover,
            selected,
        ];
        let readable = |colour: Rgb| colour.until_it_stands_out(text, &all, TEXT_HUNDREDTHS);
        let visible = |colour: Rgb| colour.until_it_stands_out(text, &all, CONTROL_HUNDREDTHS);
        let status = |hue: Status| hue.on(mode, text, surface, &all);
        let (positive, positive_surface) = status(POSITIVE);
        let (caution, caution_surface) = status(CAUTION);
        let (danger, danger_surface) = status(DANGER);
        let (info, info_surface) = status(INFO);
        Self {
            brand: theme.brand,
            accent: visible(theme.brand),
            surface,
            surface_sunken,
            surface_raised,
            surface_hover,
            selected,
            text,
            text_quiet: readable(text.mixed(70, surface)),
            line: text.mixed(12, surface),
            line_strong: visible(text.mixed(50, surface)),
            action,
            action_hover: action.mixed(88, away),
            action_active: action.mixed(76, away),
            on_action,
            link: readable(theme.brand),
            focus: visible(theme.brand),
            positive,
            positive_surface,
            caution,
            caution_surface,
            danger,
            danger_surface,
            on_danger: danger.readable_on(),
            info,
            info_surface,
        }
    }

    /// Every colour with the name of its custom property.
    #[must_use]
    pub fn tokens(&self) -> Vec<(&'static str, Rgb)> {
        vec![
            ("--p-brand", self.brand),
            ("--p-accent", self.accent),
            ("--p-surface", self.surface),
            ("--p-surface-sunken", self.surface_sunken),
            ("--p-surface-raised", self.surface_raised),
            ("--p-surface-hover", self.surface_hover),
            ("--p-selected", self.selected),
            ("--p-text", self.text),
            ("--p-text-quiet", self.text_quiet),
            ("--p-line", self.line),
            ("--p-line-strong", self.line_strong),
            ("--p-action", self.action),
            ("--p-action-hover", self.action_hover),
            ("--p-action-active", self.action_active),
            ("--p-on-action", self.on_action),
            ("--p-link", self.link),
            ("--p-focus", self.focus),
            ("--p-positive", self.positive),
            ("--p-positive-surface", self.positive_surface),
            ("--p-caution", self.caution),
            ("--p-caution-surface", self.caution_surface),
            ("--p-danger", self.danger),
            ("--p-danger-surface", self.danger_surface),
            ("--p-on-danger", self.on_danger),
            ("--p-info", self.info),
            ("--p-info-surface", self.info_surface),
        ]
    }

    /// Every pair of a text colour and a ground that it stands on.
    #[must_use]
    pub fn text_pairs(&self) -> Vec<(Rgb, Rgb)> {
        let grounds = [
            self.surface,
            self.surface_sunken,
            self.surface_raised,
            self.surface_hover,
            self.selected,
        ];
        let texts = [
            self.text,
            self.text_quiet,
            self.link,
            self.positive,
            self.caution,
            self.danger,
            self.info,
        ];
        let mut pairs = Vec::new();
        for ground in grounds {
            pairs.extend(texts.iter().map(|text| (*text, ground)));
        }
        for (text, ground) in [
            (self.positive, self.positive_surface),
            (self.caution, self.caution_surface),
            (self.danger, self.danger_surface),
            (self.info, self.info_surface),
        ] {
            pairs.push((text, ground));
            pairs.push((self.text, ground));
        }
        for ground in [self.action, self.action_hover, self.action_active] {
            pairs.push((self.on_action, ground));
        }
        pairs.push((self.on_danger, self.danger));
        pairs
    }
}

impl Theme {
    /// The custom properties of one mode, names and values.
    #[must_use]
    pub fn tokens(&self, mode: Mode) -> Vec<(&'static str, String)> {
        let colours = Palette::of(self, mode).tokens();
        let mut tokens: Vec<(&'static str, String)> = colours
            .into_iter()
            .map(|(name, colour)| (name, colour.to_string()))
            .collect();
        tokens.push((
            "--p-radius",
            format!("{}px", self.radius_px.min(RADIUS_PX_MAX)),
        ));
        if let Some(family) = self.font.family() {
            tokens.push(("--p-font", family.to_owned()));
        }
        tokens
    }

    /// A stylesheet that sets all of them; it stands after `style/tokens.css` or above its layer. An
    /// attribute `data-theme` on the root lets the reader choose where the merchant left it open.
    #[must_use]
    pub fn css(&self) -> String {
        let (light, dark) = (self.block(Mode::Light), self.block(Mode::Dark));
        match self.appearance {
            Appearance::Light => format!(":root{{{light}}}\n"),
            Appearance::Dark => format!(":root{{{dark}}}\n"),
            Appearance::Auto => format!(
                ":root{{{light}}}\n\
                 @media (prefers-color-scheme:dark){{:root:not([data-theme=\"light\"]){{{dark}}}}}\n\
                 :root[data-theme=\"dark\"]{{{dark}}}\n"
            ),
        }
    }

    fn block(&self, mode: Mode) -> String {
        let scheme = if mode == Mode::Light { "light" } else { "dark" };
        let mut block = format!("color-scheme:{scheme}");
        for (name, value) in self.tokens(mode) {
            block.push_str(&format!(";{name}:{value}"));
        }
        block
    }
}

impl Font {
    /// The `font-family` list; `None` keeps the bundled one of the stylesheet.
    #[must_use]
    pub const fn family(self) -> Option<&'static str> {
        match self {
            Self::Sans => None,
            Self::System => Some("system-ui,sans-serif"),
            Self::Serif => Some("ui-serif,Georgia,\"Songti SC\",\"Noto Serif CJK SC\",serif"),
            Self::Rounded => Some("ui-rounded,\"SF Pro Rounded\",\"Nunito\",system-ui,sans-serif"),
            Self::Mono => Some("ui-monospace,\"SF Mono\",Menlo,Consolas,monospace"),
        }
    }
}

/// The merchant's ground, lightened until dark text reads well on it.
fn light_ground(background: Rgb) -> Rgb {
    let steps = (0..=100)
        .rev()
        .map(|percent| background.mixed(percent, Rgb::WHITE));
    let mut fitting = steps.filter(|colour| colour.luminance() >= LIGHT_GROUND_MIN);
    fitting.next().unwrap_or(Rgb::WHITE)
}

/// The merchant's ground if it is dark and they want dark only, else ours.
fn dark_ground(theme: &Theme) -> Rgb {
    let chosen =
        theme.appearance == Appearance::Dark && theme.background.luminance() <= DARK_GROUND_MAX;
    if chosen {
        theme.background
    } else {
        DARK_GROUND
    }
}
