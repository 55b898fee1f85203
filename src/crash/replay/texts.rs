//! What functions of the C library and of Windows find in texts that are known.

use super::run::Run;
use super::value::{State, Value};
use std::cmp::Ordering;

/// Most bytes of a text.
const MAX_TEXT: i64 = 0x400;

impl Run<'_, '_> {
    /// What a function gives back that reads or copies texts, where that is known.
    ///
    /// - situation: what a program does next is decided by a text: a command, a line of a file, a name.
    /// - example: `if (strncmp(line, "QUIT", 4) == 0) release(client);`, with the line in the program's constants.
    /// - handling: by the bytes that cannot change, or that were seen to be stored. Those that copy give back where they copied to (C library).
    /// - test: `what_is_found_in_a_known_text`.
    pub(super) fn found_in_text(
        &mut self,
        state: &mut State,
        name: &str,
        [first, second, third, _]: [Value; 4],
    ) -> Option<Value> {
        let count = match third {
            Value::Constant(count) => i64::try_from(count).ok().filter(|count| *count <= MAX_TEXT),
            _ => None,
        };
        let found = match name {
            "strlen" | "lstrlenA" | "lstrlen" => {
                Value::Constant(u64::try_from(self.known_text(state, first)?.len()).ok()?)
            }
            "strchr" => self.found_byte(state, first, second, false)?,
            "strrchr" => self.found_byte(state, first, second, true)?,
            "strstr" => {
                let (text, sought) =
                    (self.known_text(state, first)?, self.known_text(state, second)?);
                let is_there = |at: &usize| text.get(*at..).is_some_and(|t| t.starts_with(&sought));
                self.at_offset(first, (0..=text.len()).find(is_there))
            }
            "strcmp" => order(self.compared(state, [first, second], MAX_TEXT, |byte| byte)?),
            "strncmp" => order(self.compared(state, [first, second], count?, |byte| byte)?),
            "lstrcmpiA" | "_stricmp" | "_strcmpi" | "strcasecmp" => {
                let lower = |byte: u8| byte.to_ascii_lowercase();
                let order = order(self.compared(state, [first, second], MAX_TEXT, lower)?);
                // Languages put other characters in other places than their numbers do.
                let is_clear = order == Value::Constant(0) || self.are_words(state, first, second);
                Some(order).filter(|_| is_clear)?
            }
            "memcmp" => {
                let mut bytes = |at: Value| {
                    (0..count?)
                        .map(|index| self.byte(state, at, index))
                        .collect::<Option<Vec<u8>>>()
                };
                order(bytes(first)?.cmp(&bytes(second)?))
            }
            "atoi" | "atol" => {
                let number = number(&self.known_text(state, first)?)?;
                Value::Constant(u64::from(number.cast_unsigned()))
            }
            // These give their first argument back.
            "memcpy" | "memmove" | "memset" | "strcpy" | "strcat" | "strncpy" | "wcscpy"
            | "wcscat" | "lstrcpy" | "lstrcpyA" | "lstrcpyW" | "lstrcatA" | "lstrcatW"
            | "lstrcpynA" | "lstrcpynW"
                if first != Value::Unknown =>
            {
                first
            }
            _ => return None,
        };
        Some(found)
    }

    /// A byte of memory, where it is known.
    fn byte(&mut self, state: &mut State, text: Value, at: i64) -> Option<u8> {
        self.scene.flows.spend(1).then_some(())?;
        let place = text.plus(at, self.width).place();
        match self.load(state, place, 1, 0) {
            Value::Constant(byte) => u8::try_from(byte).ok(),
            _ => None,
        }
    }

    /// The bytes of a text up to its end.
    fn known_text(&mut self, state: &mut State, text: Value) -> Option<Vec<u8>> {
        let mut found = Vec::new();
        for at in 0..MAX_TEXT {
            match self.byte(state, text, at)? {
                0 => return Some(found),
                byte => found.push(byte),
            }
        }
        None
    }

    /// Whether two texts are of letters only.
    fn are_words(&mut self, state: &mut State, one: Value, other: Value) -> bool {
        [one, other].into_iter().all(|text| {
            let bytes = self.known_text(state, text);
            bytes.is_some_and(|bytes| bytes.iter().all(u8::is_ascii_alphabetic))
        })
    }

    /// The address of a byte of a text, or 0.
    fn at_offset(&self, text: Value, at: Option<usize>) -> Value {
        let offset = at.and_then(|at| i64::try_from(at).ok());
        offset.map_or(Value::Constant(0), |offset| text.plus(offset, self.width))
    }

    /// Where a byte stands in a text.
    fn found_byte(
        &mut self,
        state: &mut State,
        text: Value,
        sought: Value,
        is_last: bool,
    ) -> Option<Value> {
        let Value::Constant(sought) = sought else { return None };
        let sought = u8::try_from(sought & 0xff).ok()?;
        let mut bytes = self.known_text(state, text)?;
        bytes.push(0);
        let is_it = |byte: &u8| *byte == sought;
        let at = if is_last { bytes.iter().rposition(is_it) } else { bytes.iter().position(is_it) };
        Some(self.at_offset(text, at))
    }

    /// How two texts compare, up to so many bytes of them.
    fn compared(
        &mut self,
        state: &mut State,
        [left, right]: [Value; 2],
        count: i64,
        folded: fn(u8) -> u8,
    ) -> Option<Ordering> {
        for at in 0..count {
            let left = folded(self.byte(state, left, at)?);
            let right = folded(self.byte(state, right, at)?);
            let is_end = left == 0 && right == 0;
            match left.cmp(&right) {
                Ordering::Equal if is_end => return Some(Ordering::Equal),
                Ordering::Equal => {}
                order => return Some(order),
            }
        }
        (count < MAX_TEXT).then_some(Ordering::Equal)
    }
}

/// What a comparison gives back.
fn order(order: Ordering) -> Value {
    match order {
        Ordering::Less => Value::Constant(u64::from(u32::MAX)),
        Ordering::Equal => Value::Constant(0),
        Ordering::Greater => Value::Constant(1),
    }
}

/// The number that a text begins with, 0 where it begins with none.
fn number(text: &[u8]) -> Option<i32> {
    let rest = text.trim_ascii_start();
    let (is_negative, rest) = match rest.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, rest),
    };
    let mut digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let value = digits.try_fold(0i32, |value, byte| {
        value.checked_mul(10)?.checked_add(i32::from(byte.checked_sub(b'0')?))
    })?;
    if is_negative { value.checked_neg() } else { Some(value) }
}
