//! The end of a container of the C++ runtime library, which is no element of it.

use super::{Case, Finding, FindingId, has};
use crate::critsec::debug_info::is_possible_pointer;
use crate::critsec::{CriticalSection, search};

/// Bytes from the beginning of a tree's node in which its element has its section.
const ELEMENT: u64 = 0x100;
/// Most nodes on one way through a tree: a red-black tree of 2^32 elements is no deeper.
const MAX_DEPTH: usize = 64;

/// The words of a tree's node, by their places, and what stands for no child.
struct Layout {
    left: u64,
    parent: u64,
    right: u64,
    /// Where a child is missing stands the head, not 0.
    ends_at_head: bool,
    /// The byte, and the word that it is counted from, that tells a head from an element: its value in the head, and in the root.
    mark: (u64, u64, u8, u8),
}

/// libstdc++ (bits/stl_tree.h: `_Rb_tree_node_base` is colour, parent, left, right; the head is red, 0, and a root black, 1), and Microsoft's
/// (xtree: `_Tree_node` is left, parent, right, then the bytes `_Color` and `_Isnil`, which is 1 in the head).
const LAYOUTS: [Layout; 2] = [
    Layout { left: 2, parent: 1, right: 3, ends_at_head: false, mark: (0, 0, 0, 1) },
    Layout { left: 0, parent: 1, right: 2, ends_at_head: true, mark: (3, 1, 1, 0) },
];

/// `end()` of a map or a set was taken for an element.
///
/// - situation: a key was not found, and what `find` gave back was used all the same.
/// - example: `rates.find("GBP")->second.lock`, where nobody has put GBP in: the section would be 20h bytes behind the map's own head.
/// - handling: up to 0x100 bytes before the address the head of a red-black tree: its parent is the root, whose parent it is; its left and its right
///   are the ends of the ways to the left and to the right from there; colour or mark are a head's; and the root has a section as far behind it
///   as the address is behind the head.
/// - test: `the_end_of_a_map_is_no_element`.
pub(super) fn collect(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let width = section.width.bytes();
    let steps = ELEMENT.checked_div(width).unwrap_or(0);
    let mut offsets = (1..=steps).filter_map(|index| index.checked_mul(width));
    let is_made = has(findings, FindingId::InitializationBehind);
    let found = offsets.find(|offset| {
        let Some(head) = section.address.checked_sub(*offset) else { return false };
        let root = LAYOUTS.iter().find_map(|layout| root_of(case, section, head, layout));
        let element = root.and_then(|root| root.checked_add(*offset));
        element.is_some_and(|at| search::genuine(case.scene.dump, at, section.encoding).is_some())
    });
    if let Some(offset) = found.filter(|_| !is_made) {
        let head = section.address.wrapping_sub(offset);
        findings.push(Finding::new(
            FindingId::ContainerEnd,
            format!(
                "{head:#x} is the head of a tree (std::map, std::set) whose elements have a section at +{offset:#x}: it may be end(), taken for an element."
            ),
            format!("memory at {head:#x}"),
        ));
    }
}

/// The root of the tree whose head this is.
fn root_of(
    case: Case<'_, '_>,
    section: &CriticalSection,
    head: u64,
    layout: &Layout,
) -> Option<u64> {
    let width = section.width;
    let word = |node: u64, index: u64| {
        let at = node.checked_add(index.checked_mul(width.bytes())?)?;
        case.scene.dump.memory.pointer(at, width)
    };
    let is_node = |node: &u64| is_possible_pointer(*node, width);
    let root = word(head, layout.parent).filter(is_node).filter(|root| *root != head)?;
    (word(root, layout.parent)? == head).then_some(())?;
    let (index, offset, of_head, of_root) = layout.mark;
    let mark = |node: u64| {
        let at = node.checked_add(index.checked_mul(width.bytes())?)?.checked_add(offset)?;
        case.scene.dump.memory.u8(at)
    };
    (mark(head)? == of_head && mark(root)? == of_root).then_some(())?;
    let nil = if layout.ends_at_head { head } else { 0 };
    let end_of_way = |side: u64| {
        let mut node = root;
        for _ in 0..MAX_DEPTH {
            match word(node, side)? {
                next if next == nil => return Some(node),
                next => node = Some(next).filter(is_node)?,
            }
        }
        None
    };
    let is_end = |side: u64| Some(end_of_way(side)? == word(head, side)?);
    (is_end(layout.left)? && is_end(layout.right)?).then_some(root)
}
