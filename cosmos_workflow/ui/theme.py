"""How the page looks: system fonts only, so that it opens at once behind any firewall."""

from pathlib import Path

from gradio.themes import Base

STATIC = Path(__file__).parent / "static"


def theme() -> Base:
    """A calm, dense theme; light and dark follow the system."""
    return Base(
        primary_hue="teal",
        neutral_hue="slate",
        spacing_size="sm",
        radius_size="md",
        text_size="md",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_cancel_background_fill="*neutral_50",
        button_cancel_background_fill_hover="#fee2e2",
        button_cancel_background_fill_dark="*neutral_900",
        button_cancel_background_fill_hover_dark="#7f1d1d",
        button_cancel_border_color="#b91c1c",
        button_cancel_border_color_dark="#f87171",
        button_cancel_text_color="#991b1b",
        button_cancel_text_color_dark="#fecaca",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_400",
        body_text_color_subdued="*neutral_600",
        slider_color="*primary_700",
        slider_color_dark="*primary_500",
        block_label_text_weight="500",
        block_title_text_weight="500",
    )


def css() -> str:
    """The page's own rules."""
    return _joined("page.css", "panels.css", "jobs.css", "heard.css", "books.css")


def head() -> str:
    """What stands in the page's head: our script, and how wide a phone is."""
    names = ("stream", "page", "cards", "panels", "ended", "keys", "jobs", "heard", "along", "tags")
    script = _joined(*(f"{name}.js" for name in names))
    return f'<meta name="color-scheme" content="light dark"><script>{script}</script>'


def _joined(*names: str) -> str:
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
