//! A macro that chooses between items, in which each condition stands once.

/// Keeps the items of the first branch whose condition holds. (`rustfmt` formats the items in a macro of this name.)
macro_rules! cfg_if {
    (if #[cfg($condition:meta)] { $($item:item)* } $(else $($rest:tt)*)?) => {
        cfg_if! { @branch [] if #[cfg($condition)] { $($item)* } $(else $($rest)*)? }
    };
    (@branch [$($no:meta),*] if #[cfg($condition:meta)] { $($item:item)* } else $($rest:tt)*) => {
        #[cfg(all($condition, not(any($($no),*))))]
        cfg_if! { @items $($item)* }
        cfg_if! { @branch [$($no,)* $condition] $($rest)* }
    };
    (@branch [$($no:meta),*] { $($item:item)* }) => {
        #[cfg(not(any($($no),*)))]
        cfg_if! { @items $($item)* }
    };
    (@items $($item:item)*) => { $($item)* };
}
