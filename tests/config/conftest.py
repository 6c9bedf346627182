"""No page is drawn in the tests of this room."""

from tests.methods.conftest import no_page  # noqa: F401 - a fixture
