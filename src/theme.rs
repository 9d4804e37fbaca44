//! A merchant's brand, as tokens, and the contrast that keeps text on it readable.

mod contrast;
mod tokens;

pub use contrast::{CONTROL_HUNDREDTHS, TEXT_HUNDREDTHS};
pub use tokens::{Mode, Palette};

use core::fmt;
use serde::{Deserialize, Serialize};

/// What a merchant chooses. Everything else is derived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Theme {
    /// The name in the rail and in titles.
    pub display_name: String,
    /// A same-origin path or an https URL of an image, with its size kept by CSS.
    pub logo: Option<String>,
    /// The same for dark surfaces; `None` uses `logo`.
    pub logo_dark: Option<String>,
    /// Buttons, links, focus.
    pub brand: Rgb,
    /// The page's ground on light.
    pub background: Rgb,
    /// The typeface.
    pub font: Font,
    /// 0 to 16 px.
    pub radius_px: u8,
    /// Follow the reader's system, or one of both always.
    pub appearance: Appearance,
}

impl Default for Theme {
    fn default() -> Self {
        Self {
            display_name: String::new(),
            logo: None,
            logo_dark: None,
            brand: Rgb(0x24, 0x5c, 0x4a),
            background: Rgb(0xff, 0xff, 0xff),
            font: Font::Sans,
            radius_px: 8,
            appearance: Appearance::Auto,
        }
    }
}

/// 8-bit sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// Typefaces that are served without asking anybody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Font {
    /// The bundled sans.
    #[default]
    Sans,
    /// The reader's system font.
    System,
    /// The reader's serif.
    Serif,
    /// The reader's rounded sans where there is one.
    Rounded,
    /// The reader's monospace.
    Mono,
}

/// Light, dark or the reader's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    /// The reader's.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The text is not a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a colour is written #rrggbb")]
pub struct ColourError;

impl Rgb {
    /// `#ffffff`.
    pub const WHITE: Self = Self(0xff, 0xff, 0xff);
    /// `#000000`.
    pub const BLACK: Self = Self(0, 0, 0);
    /// Text on light ground: black with the harshness taken out.
    pub const SOFT_BLACK: Self = Self(0x16, 0x20, 0x1c);

    /// Reads `#rrggbb`, in either case.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self, ColourError> {
        let digits = text.strip_prefix('#').ok_or(ColourError)?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ColourError);
        }
        let value = u32::from_str_radix(digits, 16).map_err(|_| ColourError)?;
        let [_, red, green, blue] = value.to_be_bytes();
        Ok(Self(red, green, blue))
    }
}

impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

impl core::str::FromStr for Rgb {
    type Err = ColourError;

    fn from_str(text: &str) -> Result<Self, ColourError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
