//! Names of values, with or without a type.

use std::fmt;
use std::marker::PhantomData;

/// The name of a value, and its type: so that a value is read as what it was written as.
///
/// ```
/// use abide::Key;
///
/// const CART: Key<Vec<String>> = Key::new("cart");
/// assert_eq!(CART.name(), "cart");
/// ```
pub struct Key<T> {
    name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// The value named `name`, of type `T`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, of: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.name)
    }
}

/// What names a value of type `T`: a text, or a [`Key`] of that type.
pub trait KeyFor<T: ?Sized> {
    /// The name.
    fn name(&self) -> &str;
}

impl<T> KeyFor<T> for Key<T> {
    fn name(&self) -> &str {
        self.name
    }
}

impl<T: ?Sized> KeyFor<T> for &str {
    fn name(&self) -> &str {
        self
    }
}

impl<T: ?Sized> KeyFor<T> for &String {
    fn name(&self) -> &str {
        self
    }
}
