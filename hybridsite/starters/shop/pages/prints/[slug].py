"""One page for each product in data/products.toml."""


def paths(site):
    for slug, product in site.data["products"].items():
        yield {"params": {"slug": slug}, "props": {"product": product}}
