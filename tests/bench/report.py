from tests.bench.figures import FIGURES
def write(figures, out):
    pass
def show(figures, console):
    for peer, values in figures.values.items():
        for name in values:
            console.print(peer, name, FIGURES[name].shown(figures.median(peer, name)), figures.notes(peer, name), soft_wrap=True)
    console.print(figures.left_out)
