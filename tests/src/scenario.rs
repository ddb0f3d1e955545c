//! One scenario, both deployments: a promise holds embedded and on RabbitMQ + Redis alike, or it is not one.

/// Makes two tests of each scenario `fn(&mut Fleet) -> Result<()>`: `embedded::name` and `distributed::name`.
///
/// `on_both!(a, b)` uses the usual fleets; `on_both!(with options: a, b)` passes them through
/// `fn options(Options) -> Options` first.
#[macro_export]
macro_rules! on_both {
    (with $options:expr; $($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[test]
            fn $name() -> anyhow::Result<()> {
                use $crate::fleet::{Fleet, Options};
                Fleet::run(($options)(Options::embedded()), super::$name)
            })+
        }
        mod distributed {
            $(#[test]
            fn $name() -> anyhow::Result<()> {
                use $crate::fleet::{Fleet, Options};
                Fleet::run(($options)(Options::distributed()), super::$name)
            })+
        }
    };
    ($($name:ident),+ $(,)?) => {
        $crate::on_both!(with std::convert::identity; $($name),+);
    };
}
