//! Elements as the bytes of a file, least significant first, without a copy.

use crate::element::Element;

/// Has `read` fill the elements with bytes of a file.
pub(crate) fn read_into<T: Element, E>(
    elements: &mut [T],
    read: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    assert!(T::ANY_BITS, "bytes are no values of {}", T::NAME);
    let count = size_of_val(elements);
    // SAFETY: the bytes are those of the elements, borrowed exclusively, and any bytes are elements of this type.
    let bytes = unsafe { std::slice::from_raw_parts_mut(elements.as_mut_ptr().cast::<u8>(), count) };
    read(bytes)?;
    if cfg!(target_endian = "big") {
        reverse_each(bytes, size_of::<T>());
    }
    Ok(())
}

/// Hands the bytes of the elements to `write`, block by block.
#[cfg_attr(not(feature = "safetensors"), allow(dead_code))] // Only safetensors files are written so.
pub(crate) fn write_from<T: Element, E>(
    elements: &[T],
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    // SAFETY: the bytes are those of the elements, all initialised, and no element type has padding.
    let bytes = unsafe { std::slice::from_raw_parts(elements.as_ptr().cast::<u8>(), size_of_val(elements)) };
    // Much larger blocks are written at half the speed.
    let mut blocks = bytes.chunks(1 << 20);
    if cfg!(target_endian = "little") {
        return blocks.try_for_each(write);
    }
    blocks.try_for_each(|block| {
        let mut block = block.to_vec();
        reverse_each(&mut block, size_of::<T>());
        write(&block)
    })
}

/// Turns the byte order of values of this width around.
pub(crate) fn reverse_each(bytes: &mut [u8], width: usize) {
    bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_their_bytes() {
        let mut elements = [0_i32; 2];
        read_into(&mut elements, |bytes| {
            bytes.copy_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0x80]);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(elements, [1, i32::MIN]);
        let mut written = Vec::new();
        write_from(&elements, |bytes| {
            written.extend_from_slice(bytes);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(written, [1, 0, 0, 0, 0, 0, 0, 0x80]);
        assert_eq!(read_into(&mut elements, |_| Err("no file")), Err("no file"));
        // What a machine of the other byte order does to them.
        reverse_each(&mut written, 4);
        assert_eq!(written, [0, 0, 0, 1, 0x80, 0, 0, 0]);
    }

    #[test]
    #[should_panic(expected = "bytes are no values of bool")]
    fn bytes_are_no_bools() {
        _ = read_into(&mut [true], |_| Ok::<_, ()>(()));
    }
}
