//! A merchant's logo on paper: a PNG or JPEG file, read and judged before it is kept, so that no document fails for it.

use krilla::Document;
use krilla::geom::Size;
use krilla::image::Image;
use krilla::page::PageSettings;

/// The largest file, in bytes. It is part of every document.
pub const BYTES_MAX: usize = 256 * 1024;
/// The longest side, in pixels: a logo is at most 6 cm wide on paper.
const SIDE_PX_MAX: u32 = 3_000;
/// Whether readers may smooth the pixels: PDF/A forbids it.
const SMOOTHED: bool = false;

const PNG: &str = "image/png";
const JPEG: &str = "image/jpeg";

/// Which of the two kinds a file begins like; nothing for any other.
#[must_use]
pub fn media_type(file: &[u8]) -> Option<&'static str> {
    match file {
        [0x89, b'P', b'N', b'G', ..] => Some(PNG),
        [0xff, 0xd8, 0xff, ..] => Some(JPEG),
        _ => None,
    }
}

/// Why a file is no logo.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// More than [`BYTES_MAX`].
    #[error("the logo may have at most {} KiB", BYTES_MAX / 1024)]
    TooLarge,
    /// Longer than the longest side.
    #[error("the logo may be at most {SIDE_PX_MAX} pixels wide and high")]
    TooWide,
    /// Neither of the two kinds, or damaged.
    #[error("the logo must be a PNG or JPEG file")]
    Unreadable,
}

/// A logo that can be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo(Image);

impl Logo {
    /// Reads a file and tries it on paper.
    ///
    /// # Errors
    /// When it can't be printed.
    pub fn read(file: Vec<u8>) -> Result<Self, LogoError> {
        let logo = Self::trusted(file)?;
        let (width, height) = logo.0.size();
        if width.max(height) > SIDE_PX_MAX {
            return Err(LogoError::TooWide);
        }
        // What stands in the head of a file is read at once, its pixels only when they are printed.
        let mut document = Document::new();
        let settings = PageSettings::from_wh(100.0, 100.0).ok_or(LogoError::Unreadable)?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        let size = Size::from_wh(50.0, 50.0).ok_or(LogoError::Unreadable)?;
        surface.draw_image(logo.0.clone(), size);
        surface.finish();
        page.finish();
        document
            .finish()
            .map(|_| logo)
            .map_err(|_| LogoError::Unreadable)
    }

    /// Reads a file that was tried when it was kept.
    ///
    /// # Errors
    /// When it is no picture at all.
    pub fn trusted(file: Vec<u8>) -> Result<Self, LogoError> {
        if file.len() > BYTES_MAX {
            return Err(LogoError::TooLarge);
        }
        let image = match media_type(&file) {
            Some(PNG) => Image::from_png(file.into(), SMOOTHED),
            Some(_) => Image::from_jpeg(file.into(), SMOOTHED),
            None => return Err(LogoError::Unreadable),
        };
        let logo = Self(image.map_err(|_| LogoError::Unreadable)?);
        match logo.0.size() {
            (0, _) | (_, 0) => Err(LogoError::Unreadable),
            _ => Ok(logo),
        }
    }

    /// What is drawn.
    pub(super) fn image(&self) -> &Image {
        &self.0
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// Two pixels by one, the second one half transparent.
    const FILE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAYAAAD0In+KAAAAEUlEQVR4nGPkL8v7z8DA0AgAC9QCdffu8IcAAAAASUVORK5CYII=";

    pub(in crate::document) fn png() -> Vec<u8> {
        STANDARD.decode(FILE).unwrap()
    }

    #[test]
    fn only_what_can_be_printed_is_a_logo() {
        let png = png();
        assert!(Logo::read(png.clone()).is_ok());
        let cut = png[..png.len() - 30].to_vec();
        let mut wide = png.clone();
        wide[16..20].copy_from_slice(&4_000_u32.to_be_bytes());
        for (file, error) in [
            (Vec::new(), LogoError::Unreadable),
            (b"<svg/>".to_vec(), LogoError::Unreadable),
            (b"GIF89a".to_vec(), LogoError::Unreadable),
            (vec![0xff, 0xd8, 0xff, 0xe0], LogoError::Unreadable),
            (cut, LogoError::Unreadable),
            (wide, LogoError::Unreadable),
            (vec![0x89; BYTES_MAX + 1], LogoError::TooLarge),
        ] {
            assert_eq!(Logo::read(file).err(), Some(error));
        }
    }
}
