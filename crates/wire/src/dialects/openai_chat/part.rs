//! Content parts of a message, read and written: text, refusals, pictures, sounds, files.

use serde_json::value::RawValue;

use super::{NAME, reasoning};
use crate::fault::Malformed;
use crate::json::{self, ArrayWriter, Fields, Kind};
use crate::loss::Loss;
use crate::request::{Body, Foreign, Media, MediaSource, Opaque, Part, Thought};

/// Takes `content`: a string, an array of parts, or nothing.
pub(super) fn read_content(fields: &mut Fields<'_>, parts: &mut Vec<Part>) -> Result<(), Malformed> {
    let path = fields.path_of("content");
    let Some(raw) = fields.take("content") else { return Ok(()) };
    match json::kind(raw) {
        Kind::String => {
            let text: String = serde_json::from_str(raw.get()).map_err(|_| Malformed::at(path, "expected a string"))?;
            if !text.is_empty() {
                parts.push(Part::text(text));
            }
        }
        Kind::Array => {
            let elements: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(|_| Malformed::at(path.clone(), "expected an array"))?;
            for (at, raw) in elements.into_iter().enumerate() {
                let part = read(raw, format!("{path}[{at}]"))?;
                let blank = matches!(&part.body, Body::Text(text) if text.is_empty()) && part.cache.is_none();
                if !blank {
                    parts.push(part);
                }
            }
        }
        _ => return Err(Malformed::at(path, "expected a string or an array of parts")),
    }
    Ok(())
}

fn read(raw: &RawValue, path: String) -> Result<Part, Malformed> {
    if json::kind(raw) == Kind::String {
        // A bare string among parts.
        return Ok(Part::text(serde_json::from_str::<String>(raw.get()).unwrap_or_default()));
    }
    let mut fields = Fields::parse(raw.get(), path)?;
    let kind = fields.need_string("type")?;
    let mut inner = None;
    let body = match kind.as_str() {
        // The other two are the words of OpenAI's Responses.
        "text" | "input_text" | "output_text" => Body::Text(fields.take_string("text")?.unwrap_or_default()),
        "refusal" => Body::Refusal(fields.need_string("refusal")?),
        "image_url" => Body::Image(image(&mut fields, &mut inner)?),
        "input_audio" => Body::Audio(audio(&mut fields)?),
        "file" => match file(&mut fields)? {
            Some(media) => Body::Document(media),
            None => return Ok(Part::new(foreign(kind, raw))),
        },
        "thinking" => match reasoning::thinking_text(&mut fields) {
            Some(text) => Body::Reasoning(Thought {
                text,
                signature: None,
                redacted: None,
            }),
            None => return Ok(Part::new(foreign(kind, raw))),
        },
        _ => foreign(kind, raw),
    };
    let mut part = Part::new(body);
    if matches!(part.body, Body::Foreign(_) | Body::Reasoning(_)) {
        return Ok(part);
    }
    part.cache = fields.take("cache_control").map(ToOwned::to_owned);
    part.extra = fields.rest(NAME);
    part.extra
        .fields
        .extend(inner.into_iter().map(|raw: Box<RawValue>| (DETAIL.to_owned(), raw)));
    Ok(part)
}

/// A picture's resolution; it stands within `image_url`.
const DETAIL: &str = "detail";

fn foreign(kind: String, raw: &RawValue) -> Body {
    Body::Foreign(Foreign {
        dialect: NAME,
        kind,
        raw: raw.to_owned(),
    })
}

/// `{"url", "detail"}`, or (some clients) the URL itself.
fn image(fields: &mut Fields<'_>, detail: &mut Option<Box<RawValue>>) -> Result<Media, Malformed> {
    let path = fields.path_of("image_url");
    let raw = fields
        .take("image_url")
        .ok_or_else(|| Malformed::at(path.clone(), "required object is missing"))?;
    let url = if json::kind(raw) == Kind::String {
        serde_json::from_str(raw.get()).map_err(|_| Malformed::at(path, "expected a string"))?
    } else {
        let mut inner = Fields::parse(raw.get(), path)?;
        *detail = inner.take(DETAIL).map(ToOwned::to_owned);
        inner.need_string("url")?
    };
    Ok(Media {
        source: source(url),
        name: None,
    })
}

fn audio(fields: &mut Fields<'_>) -> Result<Media, Malformed> {
    let path = fields.path_of("input_audio");
    let mut inner = fields
        .take_object("input_audio")?
        .ok_or_else(|| Malformed::at(path, "required object is missing"))?;
    let data = inner.need_string("data")?;
    let format = inner.take_string("format")?.unwrap_or_else(|| "wav".to_owned());
    Ok(Media {
        source: MediaSource::Base64 {
            media_type: format!("audio/{format}"),
            data,
        },
        name: None,
    })
}

/// `{"file_data", "filename"}` or `{"file_id"}`. `None`: neither.
fn file(fields: &mut Fields<'_>) -> Result<Option<Media>, Malformed> {
    let path = fields.path_of("file");
    let mut inner = fields
        .take_object("file")?
        .ok_or_else(|| Malformed::at(path, "required object is missing"))?;
    let name = inner.take_string("filename")?;
    let source = match (inner.take_string("file_data")?, inner.take_string("file_id")?) {
        (Some(data), _) if data.contains(':') => source(data),
        // Bare base64: a PDF begins with "%PDF".
        (Some(data), _) => {
            let media_type = if data.starts_with("JVBERi") {
                "application/pdf"
            } else {
                "application/octet-stream"
            };
            MediaSource::Base64 {
                media_type: media_type.to_owned(),
                data,
            }
        }
        (None, Some(data)) => MediaSource::File(Opaque { dialect: NAME, data }),
        (None, None) => return Ok(None),
    };
    Ok(Some(Media { source, name }))
}

/// A `data:` URL with base64 is inline (RFC 2397); anything else is to be fetched.
fn source(url: String) -> MediaSource {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    match inline.and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data))) {
        Some((head, data)) => {
            let media_type = head.split(';').next().unwrap_or_default();
            let media_type = if media_type.is_empty() { "text/plain" } else { media_type };
            MediaSource::Base64 {
                media_type: media_type.to_owned(),
                data: data.to_owned(),
            }
        }
        None => MediaSource::Url(url),
    }
}

/// Writes one part of a user's or a system message; nothing for what cannot be carried.
pub(super) fn write(out: &mut ArrayWriter<'_>, part: &Part, loss: &mut Loss) {
    if part.cache.is_some() {
        loss.add("cache_control");
    }
    match &part.body {
        Body::Text(text) => element(out, part, loss, |object| object.string_field("text", "text", text)),
        Body::Refusal(text) => element(out, part, loss, |object| object.string_field("refusal", "refusal", text)),
        Body::Image(media) => write_image(out, part, media, loss),
        Body::Audio(media) => write_audio(out, part, media, loss),
        Body::Document(media) => write_document(out, part, media, loss),
        Body::Foreign(foreign) if foreign.dialect == NAME => out.raw(foreign.raw.get()),
        Body::Foreign(foreign) => loss.add(&format!("messages.content.{}", foreign.kind)),
        Body::Reasoning(_) => loss.add("reasoning"),
        Body::ToolCall(_) => loss.add("messages.content.tool_call"),
        Body::ToolResult(_) => loss.add("messages.content.tool_result"),
    }
}

/// One element with its type, its body, and what only this dialect knows of it.
fn element(out: &mut ArrayWriter<'_>, part: &Part, loss: &mut Loss, fill: impl FnOnce(&mut Typed<'_, '_>)) {
    out.object(|object| {
        fill(&mut Typed { object });
        let outer = crate::request::Extra {
            dialect: part.extra.dialect,
            fields: part
                .extra
                .fields
                .iter()
                .filter(|(name, _)| name != DETAIL && name != "type")
                .cloned()
                .collect(),
        };
        object.extra(&outer, NAME, "messages.content", loss);
    });
}

struct Typed<'o, 'b> {
    object: &'o mut json::ObjectWriter<'b>,
}

impl Typed<'_, '_> {
    fn string_field(&mut self, kind: &str, name: &str, value: &str) {
        self.object.string("type", kind);
        self.object.string(name, value);
    }
}

fn write_image(out: &mut ArrayWriter<'_>, part: &Part, media: &Media, loss: &mut Loss) {
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64 { media_type, data } => data_url(media_type, data),
        MediaSource::Text { .. } => return loss.add("messages.content.image"),
        MediaSource::File(_) => return loss.add("messages.content.image.file"),
    };
    let detail = part
        .extra
        .fields
        .iter()
        .find(|(name, _)| name == DETAIL && part.extra.dialect == NAME);
    element(out, part, loss, |typed| {
        typed.object.string("type", "image_url");
        typed.object.object("image_url", |image| {
            image.string("url", &url);
            if let Some((_, detail)) = detail {
                image.raw(DETAIL, detail.get());
            }
        });
    });
}

fn write_audio(out: &mut ArrayWriter<'_>, part: &Part, media: &Media, loss: &mut Loss) {
    let MediaSource::Base64 { media_type, data } = &media.source else {
        return loss.add("messages.content.audio.url");
    };
    let format = match media_type.strip_prefix("audio/").unwrap_or(media_type) {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        format => format,
    };
    element(out, part, loss, |typed| {
        typed.object.string("type", "input_audio");
        typed.object.object("input_audio", |audio| {
            audio.string("data", data);
            audio.string("format", format);
        });
    });
}

fn write_document(out: &mut ArrayWriter<'_>, part: &Part, media: &Media, loss: &mut Loss) {
    let (field, value, name) = match &media.source {
        MediaSource::Base64 { media_type, data } => {
            let name = media.name.clone().unwrap_or_else(|| default_name(media_type));
            ("file_data", data_url(media_type, data), Some(name))
        }
        MediaSource::File(file) if file.dialect == NAME => ("file_id", file.data.clone(), media.name.clone()),
        MediaSource::Text { text, .. } => return element(out, part, loss, |typed| typed.string_field("text", "text", text)),
        MediaSource::Url(_) => return loss.add("messages.content.document.url"),
        MediaSource::File(_) => return loss.add("messages.content.document.file"),
    };
    element(out, part, loss, |typed| {
        typed.object.string("type", "file");
        typed.object.object("file", |file| {
            file.string_if("filename", name.as_deref());
            file.string(field, &value);
        });
    });
}

fn data_url(media_type: &str, data: &str) -> String {
    format!("data:{media_type};base64,{data}")
}

/// OpenAI refuses inline files without a name.
fn default_name(media_type: &str) -> String {
    let ending = match media_type {
        "text/plain" => "txt",
        "text/markdown" => "md",
        other => other
            .rsplit('/')
            .next()
            .filter(|ending| ending.len() <= 5 && ending.bytes().all(|b| b.is_ascii_alphanumeric()))
            .unwrap_or("bin"),
    };
    format!("document.{ending}")
}
