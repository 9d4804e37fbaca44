//! Contrast as WCAG says, and text that stays readable on any brand.

use super::{Appearance, CONTROL_HUNDREDTHS, Font, Mode, Palette, Rgb, TEXT_HUNDREDTHS, Theme};
use proptest::prelude::*;

fn colour() -> impl Strategy<Value = Rgb> {
    any::<[u8; 3]>().prop_map(|[red, green, blue]| Rgb(red, green, blue))
}

#[test]
fn contrast_is_that_of_the_standard() {
    // Figures of the WebAIM contrast checker, rounded down there too.
    for (one, other, wanted) in [
        ("#ffffff", "#000000", 2100),
        ("#ffffff", "#ffffff", 100),
        ("#777777", "#ffffff", 447),
        ("#767676", "#ffffff", 454),
        ("#ff0000", "#ffffff", 399),
        ("#0000ff", "#ffffff", 859),
        ("#ffff00", "#ffffff", 107),
    ] {
        let (one, other) = (Rgb::parse(one).unwrap(), Rgb::parse(other).unwrap());
        assert_eq!(one.contrast_hundredths(other), wanted, "{one} {other}");
        assert_eq!(other.contrast_hundredths(one), wanted);
    }
}

#[test]
fn colours_are_read_and_written() {
    assert_eq!(
        Rgb::parse("#245C4a").map(|c| c.to_string()),
        Ok("#245c4a".to_owned())
    );
    for wrong in [
        "", "#", "245c4a", "#245c4", "#245c4ag", "#24 c4a", "#+45c4a", "#ééé",
    ] {
        assert!(Rgb::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_stylesheet_follows_the_appearance() {
    let theme = |appearance| Theme {
        appearance,
        font: Font::Serif,
        ..Theme::default()
    };
    let light = theme(Appearance::Light).css();
    assert!(
        light.starts_with(":root{color-scheme:light;--p-brand:#245c4a;"),
        "{light}"
    );
    assert!(light.contains(";--p-radius:8px;--p-font:ui-serif,") && !light.contains("dark"));
    let auto = theme(Appearance::Auto).css();
    assert!(auto.contains("@media (prefers-color-scheme:dark){:root:not([data-theme=\"light\"]){"));
    assert!(auto.contains(":root[data-theme=\"dark\"]{color-scheme:dark;"));
    assert!(
        theme(Appearance::Dark)
            .css()
            .starts_with(":root{color-scheme:dark;")
    );
}

#[test]
fn a_good_brand_is_left_alone() {
    let palette = Palette::of(&Theme::default(), Mode::Light);
    let brand = Theme::default().brand;
    assert_eq!(
        (palette.action, palette.link, palette.focus),
        (brand, brand, brand)
    );
    assert_eq!(
        (palette.surface, palette.on_action),
        (Rgb::WHITE, Rgb::WHITE)
    );
}

proptest! {
    #[test]
    fn every_text_is_readable_on_any_brand(brand in colour(), background in colour(), dark in any::<bool>()) {
        let appearance = if dark { Appearance::Dark } else { Appearance::Auto };
        let theme = Theme { brand, background, appearance, ..Theme::default() };
        for mode in [Mode::Light, Mode::Dark] {
            let palette = Palette::of(&theme, mode);
            for (text, ground) in palette.text_pairs() {
                let contrast = text.contrast_hundredths(ground);
                prop_assert!(contrast >= TEXT_HUNDREDTHS, "{mode:?} {text} on {ground}: {contrast}");
            }
            let grounds = [palette.surface, palette.surface_sunken, palette.surface_raised, palette.surface_hover];
            for control in [palette.action, palette.focus, palette.accent, palette.line_strong] {
                prop_assert!(control.stands_out(&grounds, CONTROL_HUNDREDTHS), "{mode:?} {control}");
            }
        }
    }

    #[test]
    fn some_text_is_readable_on_any_colour(ground in colour()) {
        prop_assert!(ground.readable_on().contrast_hundredths(ground) >= TEXT_HUNDREDTHS);
    }
}
