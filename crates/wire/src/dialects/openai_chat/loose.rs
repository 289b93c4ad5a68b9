//! Values that are borrowed where they can be, and liberal about their type: what a vendor writes otherwise than the
//! specification says counts as absent, as long as we can do without it. Broken JSON stays an error.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::Key;

/// An object that is read field by field.
pub(super) trait Shape<'a>: Default {
    /// Takes the value of one field from `map`.
    fn field<A: MapAccess<'a>>(&mut self, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error>;
}

/// Fills an object in place: chunks are made by the thousand, and moving their parts about costs more than reading them.
/// Gives false for null.
pub(super) struct Fill<'s, T>(pub(super) &'s mut T);

impl<'de, T: Shape<'de>> DeserializeSeed<'de> for Fill<'_, T> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Shape<'de>> Visitor<'de> for Fill<'_, T> {
    type Value = bool;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            self.0.field(key, &mut map)?;
        }
        Ok(true)
    }
    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// Reads one object. A `null` is one without fields.
pub(super) fn read<'a, T: Shape<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    let mut shape = T::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Fill(&mut shape).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(shape)
}

/// An array; `None` for null or where the field is absent.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Option<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// An element of a [`List`].
pub(super) trait Element<'a>: Sized {
    /// Takes the next element; false: there is none.
    fn next<A: SeqAccess<'a>>(seq: &mut A, elements: &mut Vec<Self>) -> Result<bool, A::Error>;
}

/// An element that stays raw.
pub(super) type Raw<'a> = &'a RawValue;

impl<'a> Element<'a> for Raw<'a> {
    fn next<A: SeqAccess<'a>>(seq: &mut A, elements: &mut Vec<Self>) -> Result<bool, A::Error> {
        let next: Option<Self> = seq.next_element()?;
        elements.extend(next);
        Ok(next.is_some())
    }
}

impl<'a, T: Shape<'a>> Element<'a> for T {
    fn next<A: SeqAccess<'a>>(seq: &mut A, elements: &mut Vec<Self>) -> Result<bool, A::Error> {
        elements.push(T::default());
        let Some(place) = elements.last_mut() else { return Ok(false) };
        if seq.next_element_seed(Fill(place))?.is_some() {
            return Ok(true);
        }
        elements.pop();
        Ok(false)
    }
}

impl<'de, T: Element<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Element<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                // One, and the place into which the next would be read.
                let mut elements = Vec::with_capacity(2);
                while T::next(&mut seq, &mut elements)? {}
                Ok(List(Some(elements)))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(List(None))
            }
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// The `content` of a message: text, or a list of raw parts (Mistral), or nothing.
#[derive(Debug, Default)]
pub(super) enum Content<'a> {
    #[default]
    None,
    Text(Cow<'a, str>),
    Parts(Vec<Raw<'a>>),
}

/// A string. Anything else counts as absent: no vendor's slip in a field that we can do without may break an answer.
#[derive(Debug, Default)]
pub(super) struct Word<'a>(Option<Cow<'a, str>>);

impl<'a> Word<'a> {
    /// The string, when there is one and it says something.
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|word| !word.is_empty())
    }

    /// The string as it stands in the text, where it stands there without an escape.
    pub(super) fn borrowed(&self) -> Option<&'a str> {
        match self.0 {
            Some(Cow::Borrowed(word)) => Some(word),
            _ => None,
        }
    }

    /// Takes it out, empty or not.
    pub(super) fn into_inner(self) -> Option<Cow<'a, str>> {
        self.0
    }
}

/// A whole number. Anything else, a negative one too, counts as absent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count(pub(super) Option<u64>);

/// What a scalar field may hold.
trait Scalar<'a>: Default {
    fn text(_: Cow<'a, str>) -> Self {
        Self::default()
    }
    fn count(_: u64) -> Self {
        Self::default()
    }
    fn parts(_: Vec<Raw<'a>>) -> Self {
        Self::default()
    }
}

impl<'a> Scalar<'a> for Word<'a> {
    fn text(text: Cow<'a, str>) -> Self {
        Self(Some(text))
    }
}

impl Scalar<'_> for Count {
    fn count(number: u64) -> Self {
        Self(Some(number))
    }
}

impl<'a> Scalar<'a> for Content<'a> {
    fn text(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
    fn parts(parts: Vec<Raw<'a>>) -> Self {
        Self::Parts(parts)
    }
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<'de, T: Scalar<'de>> Visitor<'de> for ScalarVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(Cow::Owned(text.to_owned())))
    }
    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::count(number))
    }
    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, negative ones are left out"
        )]
        let whole = number as u64;
        Ok(if number >= 0.0 { T::count(whole) } else { T::default() })
    }
    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = seq.next_element()? {
            parts.push(part);
        }
        Ok(T::parts(parts))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }
}

impl<'de> Deserialize<'de> for Word<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Content<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}
