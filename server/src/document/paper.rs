//! Paper: what stands where on which page, and what it means to somebody who can't see it.
//!
//! A document is laid out first and drawn afterwards, because every page says how many there are.
//! What has a meaning hangs on a node of the structure tree, in reading order; what is only there
//! to be looked at (lines, page numbers) is an artifact.

#![expect(clippy::float_arithmetic, reason = "points on paper")]

use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect, Size, Transform};
use krilla::image::Image;
use krilla::num::NormalizedF32;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, SpanTag, TagGroup, TagKind, TagTree,
};
use perennial::theme::Rgb;

use super::typeface::Shaped;

/// A node of the structure tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// All pages of a document.
pub(super) struct Paper {
    pub(super) pages: Vec<Vec<Mark>>,
    nodes: Vec<Node>,
    marks: usize,
}

struct Node {
    tag: TagKind,
    children: Vec<Child>,
}

#[derive(Clone, Copy)]
enum Child {
    Node(NodeId),
    Mark(usize),
}

/// Something on a page.
pub(super) struct Mark {
    shape: Shape,
    colour: Rgb,
    /// Its number, if it means something.
    number: Option<usize>,
    artifact: ArtifactType,
}

enum Shape {
    Text {
        x: f32,
        baseline: f32,
        shaped: Shaped,
    },
    Rect {
        left: f32,
        top: f32,
        width: f32,
        height: f32,
    },
    Image {
        left: f32,
        top: f32,
        width: f32,
        height: f32,
        image: Image,
    },
}

impl Paper {
    pub(super) fn new() -> Self {
        Self {
            pages: vec![Vec::new()],
            nodes: Vec::new(),
            marks: 0,
        }
    }

    pub(super) fn turn(&mut self) {
        self.pages.push(Vec::new());
    }

    pub(super) fn page(&self) -> usize {
        self.pages.len().saturating_sub(1)
    }

    /// A new node; at the top if it has no parent.
    pub(super) fn node(&mut self, parent: Option<NodeId>, tag: impl Into<TagKind>) -> NodeId {
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node {
            tag: tag.into(),
            children: Vec::new(),
        });
        if let Some(node) = parent.and_then(|parent| self.nodes.get_mut(parent.0)) {
            node.children.push(Child::Node(id));
        }
        id
    }

    /// Text that belongs to a node.
    pub(super) fn text(
        &mut self,
        node: NodeId,
        x: f32,
        baseline: f32,
        shaped: Shaped,
        colour: Rgb,
    ) {
        let number = self.marks;
        self.marks += 1;
        if let Some(node) = self.nodes.get_mut(node.0) {
            node.children.push(Child::Mark(number));
        }
        let shape = Shape::Text {
            x,
            baseline,
            shaped,
        };
        let artifact = ArtifactType::Other;
        let page = self.page();
        self.put(
            page,
            Mark {
                shape,
                colour,
                number: Some(number),
                artifact,
            },
        );
    }

    /// A picture that belongs to a node: left, top, width and height.
    pub(super) fn image(&mut self, node: NodeId, box_: [f32; 4], image: &Image) {
        let number = self.marks;
        self.marks += 1;
        if let Some(node) = self.nodes.get_mut(node.0) {
            node.children.push(Child::Mark(number));
        }
        let [left, top, width, height] = box_;
        let page = self.page();
        self.put(
            page,
            Mark {
                shape: Shape::Image {
                    left,
                    top,
                    width,
                    height,
                    image: image.clone(),
                },
                colour: Rgb(0, 0, 0),
                number: Some(number),
                artifact: ArtifactType::Other,
            },
        );
    }

    /// Text that repeats what stands elsewhere, or only numbers the pages.
    pub(super) fn aside(
        &mut self,
        page: usize,
        x: f32,
        baseline: f32,
        shaped: Shaped,
        colour: Rgb,
        artifact: ArtifactType,
    ) {
        let shape = Shape::Text {
            x,
            baseline,
            shaped,
        };
        self.put(
            page,
            Mark {
                shape,
                colour,
                number: None,
                artifact,
            },
        );
    }

    /// A filled rectangle, which means nothing.
    pub(super) fn rect(&mut self, page: usize, box_: [f32; 4], colour: Rgb) {
        let [left, top, width, height] = box_;
        let shape = Shape::Rect {
            left,
            top,
            width,
            height,
        };
        self.put(
            page,
            Mark {
                shape,
                colour,
                number: None,
                artifact: ArtifactType::Layout,
            },
        );
    }

    fn put(&mut self, page: usize, mark: Mark) {
        if let Some(page) = self.pages.get_mut(page) {
            page.push(mark);
        }
    }

    /// Draws one page and remembers which content each mark became.
    pub(super) fn draw(&self, page: usize, surface: &mut Surface<'_>, drawn: &mut Drawn) {
        for mark in self.pages.get(page).into_iter().flatten() {
            let tag = match mark.number {
                Some(_) => ContentTag::Span(SpanTag::empty()),
                None => ContentTag::Artifact(Artifact::with_kind(mark.artifact)),
            };
            let identifier = surface.start_tagged(tag);
            mark.draw(surface);
            surface.end_tagged();
            if let Some(slot) = mark.number.and_then(|number| drawn.0.get_mut(number)) {
                *slot = Some(identifier);
            }
        }
    }

    /// The texts of one page, as they are drawn.
    #[cfg(test)]
    pub(super) fn texts(&self, page: usize) -> Vec<String> {
        let marks = self.pages.get(page).into_iter().flatten();
        let texts = marks.filter_map(|mark| match &mark.shape {
            Shape::Text { shaped, .. } => Some(
                shaped
                    .pieces
                    .iter()
                    .map(|piece| piece.text.as_str())
                    .collect(),
            ),
            Shape::Rect { .. } | Shape::Image { .. } => None,
        });
        texts.collect()
    }

    /// Every text with its left and right edge and its baseline.
    #[cfg(test)]
    pub(super) fn extents(&self) -> Vec<(String, f32, f32, f32)> {
        let marks = self.pages.iter().flatten();
        let texts = marks.filter_map(|mark| match &mark.shape {
            Shape::Text {
                x,
                baseline,
                shaped,
            } => {
                let text = shaped
                    .pieces
                    .iter()
                    .map(|piece| piece.text.as_str())
                    .collect();
                Some((text, *x, x + shaped.width, *baseline))
            }
            Shape::Rect { .. } | Shape::Image { .. } => None,
        });
        texts.collect()
    }

    /// Room to remember what is drawn.
    pub(super) fn drawn(&self) -> Drawn {
        Drawn((0..self.marks).map(|_| None).collect())
    }

    /// The structure tree, from the node at its top.
    pub(super) fn tree(&self, top: NodeId, mut drawn: Drawn, language: &str) -> TagTree {
        let mut tree = TagTree::new().with_lang(Some(language.to_owned()));
        for child in self
            .nodes
            .get(top.0)
            .into_iter()
            .flat_map(|node| &node.children)
        {
            if let Child::Node(id) = child {
                tree.push(self.group(*id, &mut drawn));
            }
        }
        tree
    }

    /// Trees are three or four levels deep: table, row group, row, cell.
    fn group(&self, id: NodeId, drawn: &mut Drawn) -> TagGroup {
        let Some(node) = self.nodes.get(id.0) else {
            return TagGroup::new(krilla::tagging::Tag::NonStruct);
        };
        let mut group = TagGroup::new(node.tag.clone());
        for child in &node.children {
            match child {
                Child::Node(id) => group.push(self.group(*id, drawn)),
                Child::Mark(number) => {
                    if let Some(identifier) = drawn.0.get_mut(*number).and_then(Option::take) {
                        group.push(identifier);
                    }
                }
            }
        }
        group
    }
}

/// Which content each mark became, by its number.
pub(super) struct Drawn(Vec<Option<Identifier>>);

impl Mark {
    fn draw(&self, surface: &mut Surface<'_>) {
        let Rgb(red, green, blue) = self.colour;
        let paint = rgb::Color::new(red, green, blue);
        surface.set_fill(Some(Fill {
            paint: paint.into(),
            opacity: NormalizedF32::ONE,
            rule: krilla::paint::FillRule::default(),
        }));
        match &self.shape {
            Shape::Rect {
                left,
                top,
                width,
                height,
            } => {
                let mut path = PathBuilder::new();
                if let Some(rect) = Rect::from_xywh(*left, *top, *width, *height) {
                    path.push_rect(rect);
                }
                if let Some(path) = path.finish() {
                    surface.draw_path(&path);
                }
            }
            Shape::Image {
                left,
                top,
                width,
                height,
                image,
            } => {
                if let Some(size) = Size::from_wh(*width, *height) {
                    surface.push_transform(&Transform::from_translate(*left, *top));
                    surface.draw_image(image.clone(), size);
                    surface.pop();
                }
            }
            Shape::Text {
                x,
                baseline,
                shaped,
            } => {
                let mut x = *x;
                for piece in &shaped.pieces {
                    let outline = piece.thicken.then(|| Stroke {
                        paint: paint.into(),
                        width: shaped.size / 32.0,
                        ..Stroke::default()
                    });
                    surface.set_stroke(outline);
                    let start = Point::from_xy(x, *baseline);
                    let font = piece.font.clone();
                    surface.draw_glyphs(
                        start,
                        &piece.glyphs,
                        font,
                        &piece.text,
                        shaped.size,
                        false,
                    );
                    x += piece.width;
                }
                surface.set_stroke(None);
            }
        }
    }
}
