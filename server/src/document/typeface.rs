//! The fonts that documents embed, and turning text into glyphs: direction, fallback, shaping.
//!
//! A text may mix scripts. It is cut into runs of one direction (Unicode bidirectional algorithm),
//! those into runs of one font (the first that has the character), and each is shaped on its own.

#![expect(clippy::float_arithmetic, reason = "points on paper")]

use std::collections::HashMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use krilla::text::{Font, GlyphId, KrillaGlyph};
use perennial::theme::Rgb;
use rustybuzz::ttf_parser::Tag;
use rustybuzz::{Direction, Feature, Language, Script, ShapePlan, UnicodeBuffer};
use unicode_bidi::{BidiInfo, Level};

use super::DocumentError;

/// The files, in the order of preference. See `tools/fonts.sh` for what they cover.
const FILES: [&[u8]; 7] = [
    include_bytes!("../../fonts/Inter-Regular.otf"),
    include_bytes!("../../fonts/NotoSansArabic-Regular.ttf"),
    include_bytes!("../../fonts/NotoSansHebrew-Regular.ttf"),
    include_bytes!("../../fonts/NotoSansThai-Regular.ttf"),
    include_bytes!("../../fonts/NotoSansDevanagari-Regular.ttf"),
    include_bytes!("../../fonts/NotoSansCJKsc-Regular.otf"),
    include_bytes!("../../fonts/Inter-SemiBold.otf"),
];
/// The place of the heavier weight among them; the other scripts have one weight.
const HEAVY: usize = FILES.len() - 1;

/// Stands for a character that no font has.
const UNKNOWN: char = '\u{25a1}';

/// How heavy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Heavy,
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) weight: Weight,
    /// Points.
    pub(super) size: f32,
    /// Which country's forms Han characters take, as a language tag.
    pub(super) han: &'static str,
    pub(super) ink: Rgb,
}

impl Style {
    /// The same in another colour.
    pub(super) fn in_ink(self, ink: Rgb) -> Self {
        Self { ink, ..self }
    }
}

/// One line of glyphs, in the order they are seen.
#[derive(Clone, Debug)]
pub(super) struct Shaped {
    pub(super) pieces: Vec<Piece>,
    /// Points.
    pub(super) width: f32,
    pub(super) size: f32,
}

/// Glyphs of one font.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) font: Font,
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// Points.
    pub(super) width: f32,
    /// A heavy text in a font that has only one weight is drawn with an outline.
    pub(super) thicken: bool,
}

struct Face {
    font: Font,
    shaper: rustybuzz::Face<'static>,
}

/// All fonts, read once.
pub(super) struct Typefaces {
    faces: Vec<Face>,
    plans: Mutex<HashMap<PlanKey, Arc<ShapePlan>>>,
}

/// A font, a script, a direction and a language: what the rules of shaping depend on.
type PlanKey = (usize, Script, bool, &'static str);

/// The most plans that are remembered; text of ordinary invoices needs a handful.
const PLANS_MAX: usize = 128;

static TYPEFACES: OnceLock<Option<Typefaces>> = OnceLock::new();

/// The fonts.
///
/// # Errors
/// [`DocumentError::Font`] if a file of the binary is no font.
pub(super) fn typefaces() -> Result<&'static Typefaces, DocumentError> {
    let read = TYPEFACES.get_or_init(|| {
        let faces = FILES.iter().map(|file| {
            let font = Font::new((*file).into(), 0)?;
            Some(Face {
                font,
                shaper: rustybuzz::Face::from_slice(file, 0)?,
            })
        });
        let faces = faces.collect::<Option<Vec<_>>>()?;
        Some(Typefaces {
            faces,
            plans: Mutex::default(),
        })
    });
    read.as_ref().ok_or(DocumentError::Font)
}

impl Typefaces {
    /// Shapes one line. Characters that have no picture (controls, direction marks that could make
    /// a text read differently from what it is) are left out.
    pub(super) fn shape(&self, text: &str, style: Style) -> Shaped {
        let text = self.cleaned(text);
        let mut shaped = Shaped {
            pieces: Vec::new(),
            width: 0.0,
            size: style.size,
        };
        let bidi = BidiInfo::new(&text, None);
        for paragraph in &bidi.paragraphs {
            let (levels, runs) = bidi.visual_runs(paragraph, paragraph.range.clone());
            for run in runs {
                let level = levels.get(run.start).copied().unwrap_or(Level::ltr());
                let Some(part) = text.get(run) else { continue };
                self.shape_run(part, level.is_rtl(), style, &mut shaped);
            }
        }
        shaped
    }

    /// How wide a line would be, in points.
    pub(super) fn width(&self, text: &str, style: Style) -> f32 {
        self.shape(text, style).width
    }

    fn shape_run(&self, text: &str, rtl: bool, style: Style, shaped: &mut Shaped) {
        let mut parts = self.font_runs(text, style.weight);
        if rtl {
            parts.reverse();
        }
        for (index, range) in parts {
            let (Some(face), Some(part)) = (self.faces.get(index), text.get(range)) else {
                continue;
            };
            let piece = self.piece(face, index, part, rtl, style);
            shaped.width += piece.width;
            shaped.pieces.push(piece);
        }
    }

    /// Cuts a text of one direction into runs of one font.
    fn font_runs(&self, text: &str, weight: Weight) -> Vec<(usize, Range<usize>)> {
        let mut runs: Vec<(usize, Range<usize>)> = Vec::new();
        for (start, c) in text.char_indices() {
            let end = start + c.len_utf8();
            let last = runs.last_mut();
            let stay = last.as_ref().map(|(index, _)| *index).filter(|index| {
                // A space or a mark stays with what it stands beside.
                (c.is_whitespace() || is_mark(c)) && self.covers(*index, c)
            });
            let index = stay.unwrap_or_else(|| self.face_for(c, weight));
            match last {
                Some((before, range)) if *before == index => range.end = end,
                _ => runs.push((index, start..end)),
            }
        }
        runs
    }

    fn face_for(&self, c: char, weight: Weight) -> usize {
        if weight == Weight::Heavy && self.covers(HEAVY, c) {
            return HEAVY;
        }
        (0..HEAVY).find(|index| self.covers(*index, c)).unwrap_or(0)
    }

    fn covers(&self, index: usize, c: char) -> bool {
        self.faces
            .get(index)
            .is_some_and(|face| face.shaper.glyph_index(c).is_some())
    }

    fn cleaned(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        for c in text.chars() {
            let known = || (0..FILES.len()).any(|index| self.covers(index, c));
            match c {
                '\t' | '\n' | '\r' => clean.push(' '),
                // Joiners carry meaning in Arabic and Indic scripts.
                '\u{200c}' | '\u{200d}' if known() => clean.push(c),
                _ if c.is_control() || is_invisible(c) => {}
                _ if known() => clean.push(c),
                _ => clean.push(UNKNOWN),
            }
        }
        clean
    }

    fn piece(&self, face: &Face, index: usize, text: &str, rtl: bool, style: Style) -> Piece {
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.set_direction(if rtl {
            Direction::RightToLeft
        } else {
            Direction::LeftToRight
        });
        buffer.guess_segment_properties();
        let plan = self.plan(face, (index, buffer.script(), rtl, style.han));
        let output = rustybuzz::shape_with_plan(&face.shaper, &plan, buffer);
        let (infos, positions) = (output.glyph_infos(), output.glyph_positions());
        let mut starts: Vec<usize> = infos.iter().map(|info| info.cluster as usize).collect();
        starts.sort_unstable();
        starts.dedup();
        let em = face.font.units_per_em();
        let mut glyphs = Vec::with_capacity(infos.len());
        let mut advance = 0.0;
        for (info, position) in infos.iter().zip(positions) {
            let start = info.cluster as usize;
            let next = starts.partition_point(|other| *other <= start);
            let end = starts.get(next).copied().unwrap_or(text.len());
            let [x, dx, dy, y] = [
                position.x_advance,
                position.x_offset,
                position.y_offset,
                position.y_advance,
            ]
            .map(|units| units as f32 / em);
            advance += x;
            let id = GlyphId::new(info.glyph_id);
            glyphs.push(KrillaGlyph::new(id, x, dx, dy, y, start..end, None));
        }
        Piece {
            font: face.font.clone(),
            text: text.to_owned(),
            glyphs,
            width: advance * style.size,
            thicken: style.weight == Weight::Heavy && index != HEAVY,
        }
    }

    fn plan(&self, face: &Face, key: PlanKey) -> Arc<ShapePlan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() > PLANS_MAX {
            plans.clear();
        }
        let plan = plans.entry(key).or_insert_with(|| {
            let (_, script, rtl, language) = key;
            let direction = if rtl {
                Direction::RightToLeft
            } else {
                Direction::LeftToRight
            };
            // Figures of one width, so that amounts stand in columns.
            let figures = Feature::new(Tag::from_bytes(b"tnum"), 1, ..);
            let language = Language::from_str(language).ok();
            let (script, language) = (Some(script), language.as_ref());
            Arc::new(ShapePlan::new(
                &face.shaper,
                direction,
                script,
                language,
                &[figures],
            ))
        });
        Arc::clone(plan)
    }
}

/// Marks that combine with the character before them, in the scripts that the fonts have.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{93c}' | '\u{93e}'..='\u{94d}' | '\u{e31}'
        | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{200c}' | '\u{200d}'
        | '\u{3099}' | '\u{309a}')
}

/// Characters without a picture, and those that PDF/A forbids in text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}' | '\u{1fffe}' | '\u{1ffff}')
}

/// Which country's forms Han characters take in a text: its own kana or hangul say it, else the
/// country of whoever wrote it.
pub(super) fn han_of(text: &str, country: Option<&str>) -> &'static str {
    let kana = |c| matches!(c, '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}');
    let hangul = |c| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7a3}');
    if text.chars().any(kana) {
        return "ja";
    }
    if text.chars().any(hangul) {
        return "ko";
    }
    match country {
        Some("JP") => "ja",
        Some("KR") => "ko",
        Some("HK" | "MO" | "TW") => "zh-Hant",
        _ => "zh-Hans",
    }
}
