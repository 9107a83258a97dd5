//! Figures as the pages of a PDF. Text is text, in the program's own font; lines are lines.

use std::borrow::Cow;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{FontFlags, LineCapStyle};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use rayon::prelude::*;

use super::font::{FILE, Font, FontError};
use super::{Anchor, Colour, Figure, Item, Line, Pixels};

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const FONT: Ref = Ref::new(3);
const DESCRIPTOR: Ref = Ref::new(4);
const FONT_FILE: Ref = Ref::new(5);
const INFORMATION: Ref = Ref::new(6);
/// The first that is free.
const FREE: i32 = 7;

const FONT_NAME: Name<'static> = Name(b"F");
/// Six letters in front say that it is a part of the font.
const BASE_FONT: Name<'static> = Name(b"OCMLAB+Roboto");

/// The bytes of a PDF with these figures as its pages. The same figures give the same bytes.
///
/// # Errors
/// [`FontError`].
pub fn to_pdf(title: &str, pages: &[Figure]) -> Result<Vec<u8>, FontError> {
    let font = Font::new()?;
    let mut pdf = Pdf::new();
    pdf.catalog(CATALOG).pages(PAGES);
    let program = format!("occlumap {}", crate::VERSION);
    pdf.document_info(INFORMATION).title(TextStr(title)).creator(TextStr(&program));
    write_font(&mut pdf, &font);
    let mut free = FREE;
    let mut next = || {
        free += 1;
        Ref::new(free - 1)
    };
    let packed: Vec<Vec<Packed<'_>>> = pages.par_iter().map(packed).collect();
    let mut kids = Vec::with_capacity(pages.len());
    for (figure, packed) in pages.iter().zip(&packed) {
        let mut packed = packed.iter();
        let (page_id, content_id) = (next(), next());
        let mut page = Page { content: Content::new(), height: figure.height, font: &font };
        let mut pictures = Vec::new();
        for item in &figure.items {
            match item {
                Item::Picture { area, .. } => {
                    let Some(pixels) = packed.next() else { continue };
                    let id = next();
                    write_pixels(&mut pdf, id, pixels);
                    let name = format!("I{}", pictures.len());
                    page.content.save_state();
                    let bottom = figure.height - area.y - area.height;
                    page.content
                        .transform([area.width, 0.0, 0.0, area.height, area.x, bottom])
                        .x_object(Name(name.as_bytes()))
                        .restore_state();
                    pictures.push((name, id));
                }
                other => page.draw(other),
            }
        }
        let content = page.content.finish();
        pdf.stream(content_id, &deflated(&content)).filter(Filter::FlateDecode);
        let mut page = pdf.page(page_id);
        page.media_box(Rect::new(0.0, 0.0, figure.width, figure.height));
        page.parent(PAGES).contents(content_id);
        let mut resources = page.resources();
        resources.fonts().pair(FONT_NAME, FONT);
        let mut objects = resources.x_objects();
        for (name, id) in &pictures {
            objects.pair(Name(name.as_bytes()), id);
        }
        objects.finish();
        resources.finish();
        page.finish();
        kids.push(page_id);
    }
    pdf.pages(PAGES).count(kids.len() as i32).kids(kids);
    Ok(pdf.finish())
}

struct Page<'a> {
    content: Content,
    /// The page's height: a PDF's y runs upward.
    height: f32,
    font: &'a Font,
}

impl Page<'_> {
    fn draw(&mut self, item: &Item) {
        match item {
            Item::Picture { .. } => {}
            Item::Rectangle { area, fill, line } => {
                let bottom = self.height - area.y - area.height;
                if let Some(fill) = fill {
                    self.colour(*fill);
                    self.content.rect(area.x, bottom, area.width, area.height).fill_nonzero();
                }
                if let Some(line) = line {
                    self.line(*line);
                    self.content.rect(area.x, bottom, area.width, area.height).stroke();
                }
            }
            Item::Path { points, closed, line } => {
                self.line(*line);
                for (index, &[x, y]) in points.iter().enumerate() {
                    let y = self.height - y;
                    if index == 0 {
                        self.content.move_to(x, y);
                    } else {
                        self.content.line_to(x, y);
                    }
                }
                if *closed {
                    self.content.close_path();
                }
                self.content.stroke();
            }
            Item::Text { at, anchor, size, colour, text } => {
                self.text(*at, *anchor, *size, *colour, text);
            }
        }
    }

    fn text(&mut self, at: [f32; 2], anchor: Anchor, size: f32, colour: Colour, text: &str) {
        let x = at[0] - anchor.share() * self.font.width(text) * size;
        let bytes: Vec<u8> = text.chars().map(|c| win_ansi(c).unwrap_or(b'?')).collect();
        self.colour(colour);
        self.content
            .begin_text()
            .set_font(FONT_NAME, size)
            .next_line(x, self.height - at[1])
            .show(Str(&bytes))
            .end_text();
    }

    fn colour(&mut self, colour: Colour) {
        let [red, green, blue] = colour.map(|part| f32::from(part) / 255.0);
        self.content.set_fill_rgb(red, green, blue);
    }

    fn line(&mut self, line: Line) {
        let [red, green, blue] = line.colour.map(|part| f32::from(part) / 255.0);
        self.content
            .set_stroke_rgb(red, green, blue)
            .set_line_width(line.width)
            .set_line_cap(LineCapStyle::ButtCap);
    }
}

/// A character's code in the encoding that PDF calls `WinAnsiEncoding`, of those that the font has.
fn win_ansi(character: char) -> Option<u8> {
    match character {
        ' '..='~' | '°' | '±' | '²' | 'µ' | '·' | '×' => {
            u8::try_from(u32::from(character)).ok()
        }
        '–' => Some(0x96),
        '…' => Some(0x85),
        _ => None,
    }
}

fn write_font(pdf: &mut Pdf, font: &Font) {
    let face = &font.face;
    let thousandths = |units: i16| f32::from(units) / font.em() * 1000.0;
    let width = |code: u8| {
        // Codes of characters that the font does not have are not used.
        let character = (' '..='×').chain("–…".chars()).find(|&c| win_ansi(c) == Some(code));
        let glyph = character.and_then(|character| face.glyph_index(character));
        glyph.map_or(0.0, |glyph| font.advance(glyph) * 1000.0)
    };
    let (first, last) = (b' ', 0xd7);
    let mut dictionary = pdf.indirect(FONT).dict();
    dictionary.pair(Name(b"Type"), Name(b"Font"));
    dictionary.pair(Name(b"Subtype"), Name(b"TrueType"));
    dictionary.pair(Name(b"BaseFont"), BASE_FONT);
    dictionary.pair(Name(b"Encoding"), Name(b"WinAnsiEncoding"));
    dictionary.pair(Name(b"FirstChar"), i32::from(first));
    dictionary.pair(Name(b"LastChar"), i32::from(last));
    dictionary.insert(Name(b"Widths")).array().items((first..=last).map(width));
    dictionary.pair(Name(b"FontDescriptor"), DESCRIPTOR);
    dictionary.finish();
    let bounds = face.global_bounding_box();
    pdf.font_descriptor(DESCRIPTOR)
        .name(BASE_FONT)
        .flags(FontFlags::NON_SYMBOLIC)
        .bbox(Rect::new(
            thousandths(bounds.x_min),
            thousandths(bounds.y_min),
            thousandths(bounds.x_max),
            thousandths(bounds.y_max),
        ))
        .italic_angle(0.0)
        .ascent(thousandths(face.ascender()))
        .descent(thousandths(face.descender()))
        .cap_height(thousandths(face.capital_height().unwrap_or_else(|| face.ascender())))
        .stem_v(80.0)
        .font_file2(FONT_FILE);
    pdf.stream(FONT_FILE, &deflated(FILE))
        .filter(Filter::FlateDecode)
        .pair(Name(b"Length1"), FILE.len() as i32);
}

/// A picture as it lies in the file.
struct Packed<'a> {
    bytes: Cow<'a, [u8]>,
    filter: Filter,
    size: [u32; 2],
}

/// A page's pictures, in their order. To compress them is most of the work.
fn packed(figure: &Figure) -> Vec<Packed<'_>> {
    let mut packed = Vec::new();
    for item in &figure.items {
        let Item::Picture { pixels, .. } = item else { continue };
        packed.push(match pixels {
            Pixels::Plain(picture) => Packed {
                bytes: deflated(picture.as_raw()).into(),
                filter: Filter::FlateDecode,
                size: [picture.width(), picture.height()],
            },
            Pixels::Jpeg { bytes, size } => {
                Packed { bytes: bytes.as_slice().into(), filter: Filter::DctDecode, size: *size }
            }
        });
    }
    packed
}

fn write_pixels(pdf: &mut Pdf, id: Ref, pixels: &Packed<'_>) {
    let Packed { bytes, filter, size: [width, height] } = pixels;
    let mut object = pdf.image_xobject(id, bytes);
    object.width(*width as i32).height(*height as i32);
    object.filter(*filter);
    object.color_space().device_rgb();
    object.bits_per_component(8);
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::RgbImage;

    use super::super::Area;
    use super::*;

    #[test]
    fn a_document_has_its_pages_its_font_and_its_pictures() {
        let mut figure = Figure::new(200.0, 100.0);
        figure.text([10.0, 20.0], Anchor::Start, 8.0, "conv3 · 0–9 ±1");
        let pixels = Pixels::Plain(Arc::new(RgbImage::new(3, 2)));
        figure.picture(Area::square(10.0, 30.0, 40.0), pixels);
        let jpeg = Pixels::Jpeg { bytes: Arc::new(vec![0xff, 0xd8]), size: [5, 4] };
        figure.picture(Area::square(60.0, 30.0, 40.0), jpeg);
        let pages = [figure.clone(), figure];
        let bytes = to_pdf("Maps", &pages).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("%PDF-1.7") && text.trim_end().ends_with("%%EOF"));
        for part in
            ["/Count 2", "/MediaBox [0 0 200 100]", "/Subtype /TrueType", "/DCTDecode", "(Maps)"]
        {
            assert!(text.contains(part), "{part}");
        }
        assert_eq!(text.matches("/Subtype /Image").count(), 4);
        assert_eq!(bytes, to_pdf("Maps", &pages).unwrap());
    }
}
