//! What comparisons tell: whether a condition holds.

use super::value::{Compared, Kind, Symbol, Value};
use iced_x86::{ConditionCode, Instruction};

/// What the flags tell of a bit: that it is set is what is "below" after a comparison of 0 with 1.
pub(super) fn bit(value: Value, number: Value, size: u64) -> Option<Compared> {
    let (Value::Constant(value), Value::Constant(number)) = (value, number) else { return None };
    let number = number.checked_rem(size.checked_mul(8)?)?;
    let is_set = value.checked_shr(u32::try_from(number).ok()?)? & 1 != 0;
    let left = Value::Constant(u64::from(!is_set));
    Some(Compared { kind: Kind::Compare, left, right: Value::Constant(1), size: 8 })
}

/// Whether a condition holds for two addresses in one object, which does not reach over the end of memory.
///
/// - situation: a pointer goes from an array's start to its end.
/// - example: `lea ebx,[eax+10h]`, `lea edi,[eax+210h]`, and at the loop's end `add ebx,20h`, `cmp ebx,edi`, `jne`.
/// - handling: by their distances from the object's start; not by conditions for numbers with a sign.
/// - test: `a_pointer_comes_to_the_end_of_its_array`.
fn of_one_object(condition: ConditionCode, left: i64, right: i64) -> Option<bool> {
    Some(match condition {
        ConditionCode::e => left == right,
        ConditionCode::ne => left != right,
        ConditionCode::b => left < right,
        ConditionCode::be => left <= right,
        ConditionCode::a => left > right,
        ConditionCode::ae => left >= right,
        _ => return None,
    })
}

/// Whether a branch is taken, when both sides of its comparison are known.
///
/// - situation: what was given out is compared with 0.
/// - example: `object = HeapAlloc(…)`, `test rax, rax`, `je failed`.
/// - handling: what was given out counts as not 0; what ran since counts only where that is memory that is there.
/// - test: `what_functions_did_that_have_returned` (tests/accuracy).
pub(super) fn is_taken(
    one: &Instruction,
    compared: Option<Compared>,
    is_given: impl Fn(Symbol) -> bool,
    is_one: impl Fn(Symbol) -> bool,
) -> Option<bool> {
    let compared = compared?;
    if let (Value::Symbol(left, from), Value::Symbol(right, to)) = (compared.left, compared.right)
        && left == right
        && compared.kind == Kind::Compare
        && is_one(left)
    {
        return of_one_object(one.condition_code(), from, to);
    }
    let is_zero_test = match (compared.left, compared.right) {
        (Value::Symbol(left, 0), right) if compared.kind == Kind::Test => {
            is_given(left) && right == compared.left
        }
        (Value::Symbol(left, 0), Value::Constant(0)) => is_given(left),
        _ => false,
    };
    match one.condition_code() {
        ConditionCode::e if is_zero_test => return Some(false),
        ConditionCode::ne if is_zero_test => return Some(true),
        _ => {}
    }
    let (Value::Constant(left), Value::Constant(right)) = (compared.left, compared.right) else {
        return None;
    };
    let unused = u32::try_from(8usize.checked_sub(compared.size)?.checked_mul(8)?).ok()?;
    let left = left.checked_shl(unused)?;
    let right = right.checked_shl(unused)?;
    let (signed, other) = (left.cast_signed(), right.cast_signed());
    let both = left & right;
    Some(match (one.condition_code(), compared.kind) {
        (ConditionCode::e, Kind::Compare) => left == right,
        (ConditionCode::ne, Kind::Compare) => left != right,
        (ConditionCode::e, _) => both == 0,
        (ConditionCode::ne, _) => both != 0,
        (ConditionCode::s, Kind::Test | Kind::Result) => both.cast_signed() < 0,
        (ConditionCode::ns, Kind::Test | Kind::Result) => both.cast_signed() >= 0,
        (ConditionCode::g, Kind::Test) => both.cast_signed() > 0,
        (ConditionCode::le, Kind::Test) => both.cast_signed() <= 0,
        (ConditionCode::l, Kind::Compare) => signed < other,
        (ConditionCode::le, Kind::Compare) => signed <= other,
        (ConditionCode::g, Kind::Compare) => signed > other,
        (ConditionCode::ge, Kind::Compare) => signed >= other,
        (ConditionCode::b, Kind::Compare) => left < right,
        (ConditionCode::be, Kind::Compare) => left <= right,
        (ConditionCode::a, Kind::Compare) => left > right,
        (ConditionCode::ae, Kind::Compare) => left >= right,
        _ => return None,
    })
}
