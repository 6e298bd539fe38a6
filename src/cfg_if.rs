//! A choice between items, in which each condition stands once.

/// Items by platform: those of the first branch whose condition holds. (`rustfmt` knows a macro of this name.)
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
