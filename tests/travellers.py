"""Travellers: layers that take steps of their own kinds, and passes named in other languages."""

from __future__ import annotations

from strangers import stranger

stranger(
    "steps: a rate that is written out",
    3,
    """
class Literal:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out) * 0.3, np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        dx = d @ self.W.T
        dW = self.x.T @ d
        db = d.sum(axis=0)
        self.W -= 0.01 * dW
        self.b -= 0.01 * db
        return dx
""",
    ("db = d.sum(axis=0)", "db = d.mean(axis=0)"),
    ("self.W -= 0.01 * dW", "self.W += 0.01 * dW"),
)


stranger(
    "steps: a rate of the file, and assigned",
    3,
    """
LEARNING_RATE = 0.05
class LiteralAssigned:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out) * 0.3, np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        dx = d @ self.W.T
        self.W = self.W - LEARNING_RATE * (self.x.T @ d)
        self.b = self.b - LEARNING_RATE * d.sum(axis=0)
        return dx
""",
    ("(self.x.T @ d)", "(self.x.T @ (d * d))"),
)


stranger(
    "steps: those of RMSProp, whose gradients are variables",
    3,
    """
class RMSInside:
    def __init__(self, n_in, n_out, lr=0.01, rho=0.9):
        self.W, self.b = np.random.randn(n_in, n_out) * 0.3, np.zeros(n_out)
        self.sW, self.sb = np.zeros_like(self.W), np.zeros_like(self.b)
        self.lr, self.rho = lr, rho
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        dx = d @ self.W.T
        dW, db = self.x.T @ d, d.sum(axis=0)
        self.sW = self.rho * self.sW + (1 - self.rho) * dW ** 2
        self.sb = self.rho * self.sb + (1 - self.rho) * db ** 2
        self.W -= self.lr * dW / (np.sqrt(self.sW) + 1e-8)
        self.b -= self.lr * db / (np.sqrt(self.sb) + 1e-8)
        return dx
""",
    ("dW, db = self.x.T @ d, d.sum", "dW, db = self.x.T @ d, d.mean"),
    ("self.W -= self.lr", "self.W += self.lr"),
)


stranger(
    "steps: those of Adam",
    3,
    """
class AdamInside:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out) * 0.3, np.zeros(n_out)
        self.m, self.v, self.mb, self.vb, self.t = 0, 0, 0, 0, 0
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d, lr):
        dx = d @ self.W.T
        dW, db = self.x.T @ d, d.sum(axis=0)
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * dW
        self.v = 0.999 * self.v + 0.001 * dW ** 2
        self.mb = 0.9 * self.mb + 0.1 * db
        self.vb = 0.999 * self.vb + 0.001 * db ** 2
        c1, c2 = 1 - 0.9 ** self.t, 1 - 0.999 ** self.t
        self.W -= lr * (self.m / c1) / (np.sqrt(self.v / c2) + 1e-8)
        self.b -= lr * (self.mb / c1) / (np.sqrt(self.vb / c2) + 1e-8)
        return dx
""",
    ("dW, db = self.x.T @ d,", "dW, db = self.x.T @ d / len(d),"),
)


stranger(
    "steps: a decay of weights in them",
    3,
    """
class Decay:
    def __init__(self, n_in, n_out, lr=0.1, weight_decay=0.01):
        self.W, self.b = np.random.randn(n_in, n_out) * 0.3, np.zeros(n_out)
        self.lr, self.weight_decay = lr, weight_decay
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        dx = d @ self.W.T
        self.W -= self.lr * (self.x.T @ d + self.weight_decay * self.W)
        self.b -= self.lr * d.sum(axis=0)
        return dx
""",
    ("self.weight_decay * self.W)", "self.weight_decay * self.W ** 2)"),
    ("self.x.T @ d +", "self.x.T @ d / len(d) +"),
)


stranger(
    "steps: weights that shrink first",
    3,
    """
class DecayShrink:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out) * 0.3, np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d, lr, lam=0.01):
        dx = d @ self.W.T
        self.W = (1 - lr * lam) * self.W - lr * self.x.T @ d
        self.b = self.b - lr * d.sum(axis=0)
        return dx
""",
    ("d.sum(axis=0)", "d.mean(axis=0)"),
    ("(1 - lr * lam)", "(1 + lr * lam)"),
)


stranger(
    "Spanish: layers with adelante and atras",
    4,
    """
class Densa:
    def __init__(self, entradas, salidas):
        self.pesos = np.random.randn(entradas, salidas)
        self.sesgo = np.zeros(salidas)
    def adelante(self, entrada):
        self.entrada = entrada
        return entrada @ self.pesos + self.sesgo
    def atras(self, gradiente_salida):
        self.grad_pesos = self.entrada.T @ gradiente_salida
        self.grad_sesgo = gradiente_salida.sum(axis=0)
        return gradiente_salida @ self.pesos.T
class Sigmoide:
    def propagacion(self, x):
        self.salida = 1 / (1 + np.exp(-x))
        return self.salida
    def retropropagacion(self, grad):
        return grad * self.salida * (1 - self.salida)
""",
    ("gradiente_salida.sum(axis=0)", "gradiente_salida.mean(axis=0)"),
    ("grad * self.salida * (1 - self.salida)", "grad * (1 - self.salida)"),
)


stranger(
    "Spanish: functions, and a loss with its derivada",
    5,
    """
def tangente(x):
    return np.tanh(x)
def tangente_derivada(x):
    return 1 - np.tanh(x) ** 2
def capa_adelante(x, pesos, sesgo):
    return x @ pesos + sesgo, (x, pesos)
def capa_atras(dsalida, memoria):
    x, pesos = memoria
    return dsalida @ pesos.T, x.T @ dsalida, dsalida.sum(0)
class ErrorCuadratico:
    def calcular(self, prediccion, objetivo):
        return np.mean((prediccion - objetivo) ** 2)
    def derivada(self, prediccion, objetivo):
        return 2 * (prediccion - objetivo) / prediccion.size
""",
    ("np.tanh(x) ** 2", "np.tanh(x)"),
    ("dsalida @ pesos.T", "dsalida @ pesos.T * 2"),
    ("2 * (prediccion - objetivo)", "(prediccion - objetivo)"),
)


stranger(
    "German: Schichten with vorwärts and rückwärts",
    4,
    """
class Schicht:
    def __init__(self, eingaenge, ausgaenge):
        self.gewichte = np.random.randn(eingaenge, ausgaenge) * 0.3
        self.schwellen = np.zeros(ausgaenge)
    def vorwärts(self, eingabe):
        self.eingabe = eingabe
        return eingabe @ self.gewichte + self.schwellen
    def rückwärts(self, fehler):
        self.abl_gewichte = self.eingabe.T @ fehler
        self.abl_schwellen = fehler.sum(axis=0)
        return fehler @ self.gewichte.T
class Relu:
    def vorwärts(self, x):
        self.x = x
        return np.maximum(x, 0)
    def rückwärts(self, fehler):
        return fehler * (self.x > 0)
""",
    ("fehler.sum(axis=0)", "fehler.mean(axis=0)"),
    ("(self.x > 0)", "(fehler > 0)"),
)


stranger(
    "German: functions with their Ableitung",
    2,
    """
def sigmoide(x):
    return 1 / (1 + np.exp(-x))
def sigmoide_ableitung(x):
    s = sigmoide(x)
    return s * (1 - s)
def verlust(vorhersage, soll):
    return np.mean((vorhersage - soll) ** 2)
def verlust_ableitung(vorhersage, soll):
    return 2 * (vorhersage - soll) / soll.size
""",
    ("return s * (1 - s)", "return s * (1 + s)"),
    ("2 * (vorhersage - soll)", "2 * (soll - vorhersage)"),
)


stranger(
    "French: a layer that steps by its taux, a network, its cost",
    8,
    """
class Couche:
    def __init__(self, n_entrees, n_sorties):
        self.poids = np.random.randn(n_entrees, n_sorties) * 0.3
        self.biais = np.zeros((1, n_sorties))
    def avant(self, entree):
        self.entree = entree
        return entree @ self.poids + self.biais
    def arriere(self, grad_sortie, taux):
        grad_entree = grad_sortie @ self.poids.T
        self.poids -= taux * self.entree.T @ grad_sortie
        self.biais -= taux * grad_sortie.sum(axis=0, keepdims=True)
        return grad_entree
def cout(y_pred, y_vrai):
    return np.mean((y_pred - y_vrai) ** 2)
def derivee_cout(y_pred, y_vrai):
    return 2 * (y_pred - y_vrai) / y_vrai.size
def avant(X, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    return A1 @ W2 + b2, (X, A1, W2)
def arriere(dZ2, memoire):
    X, A1, W2 = memoire
    dW2, db2 = A1.T @ dZ2, dZ2.sum(0)
    dZ1 = dZ2 @ W2.T * (1 - A1 ** 2)
    return X.T @ dZ1, dZ1.sum(0), dW2, db2
""",
    ("self.biais -= taux * grad_sortie.sum(", "self.biais -= taux * grad_sortie.mean("),
    ("2 * (y_pred - y_vrai)", "(y_pred - y_vrai)"),
    ("(1 - A1 ** 2)", "(1 - A1)"),
)


stranger(
    "Portuguese and Italian: propagar, avanti e indietro",
    7,
    """
class Camada:
    def __init__(self, entradas, saidas):
        self.pesos = np.random.randn(entradas, saidas) * 0.3
        self.vies = np.zeros(saidas)
    def propagar(self, entrada):
        self.entrada = entrada
        return entrada @ self.pesos + self.vies
    def retropropagar(self, grad_saida):
        self.grad_pesos = self.entrada.T @ grad_saida
        self.grad_vies = grad_saida.sum(0)
        return grad_saida @ self.pesos.T
class Strato:
    def __init__(self, ingressi, uscite):
        self.pesi = np.random.randn(ingressi, uscite) * 0.3
        self.soglie = np.zeros(uscite)
    def avanti(self, ingresso):
        self.ingresso = ingresso
        return ingresso @ self.pesi + self.soglie
    def indietro(self, errore, tasso):
        a_monte = errore @ self.pesi.T
        self.pesi -= tasso * self.ingresso.T @ errore
        self.soglie -= tasso * errore.sum(0)
        return a_monte
def custo(saida, alvo):
    return ((saida - alvo) ** 2).mean()
def derivada_custo(saida, alvo):
    return 2 * (saida - alvo) / alvo.size
""",
    ("grad_saida.sum(0)", "grad_saida.mean(0)"),
    ("errore @ self.pesi.T", "errore @ self.pesi.T / 2"),
    ("/ alvo.size", "/ len(alvo)"),
)


stranger(
    "functions of no names that tell, one of which takes apart what the other hands on",
    3,
    """
def stage(x, w, b):
    z = x @ w + b
    return np.tanh(z), (x, w, z)
def egats(d, kept):
    x, w, z = kept
    e = d * (1 - np.tanh(z) ** 2)
    return e @ w.T, x.T @ e, e.sum(0)
""",
    ("np.tanh(z) ** 2", "np.tanh(z)"),
)


stranger(
    "an upstream gradient of 1 by default",
    1,
    """
class Sigmoid:
    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out
    def backward(self, d_prev=1):
        return d_prev * self.out * (1 - self.out)
""",
    ("d_prev * self.out", "self.out"),
)


stranger(
    "losses with their gradients in the words of other languages: classes by their use as an index, a strength",
    4,
    """
def perdida_softmax(pesos, datos, clases, fuerza):
    perdida = 0.0
    dpesos = np.zeros_like(pesos)
    n = datos.shape[0]
    for i in range(n):
        puntajes = datos[i].dot(pesos)
        puntajes -= puntajes.max()
        p = np.exp(puntajes) / np.exp(puntajes).sum()
        perdida -= np.log(p[clases[i]])
        p[clases[i]] -= 1
        dpesos += np.outer(datos[i], p)
    return perdida / n + fuerza * np.sum(pesos * pesos), dpesos / n + 2 * fuerza * pesos
def svm_verlust(gewichte, daten, klasse, staerke):
    n = len(daten)
    werte = daten @ gewichte
    richtig = werte[np.arange(n), klasse][:, None]
    abstand = np.maximum(0, werte - richtig + 1)
    abstand[np.arange(n), klasse] = 0
    verlust = abstand.sum() / n + staerke * np.sum(gewichte ** 2)
    m = (abstand > 0).astype(float)
    m[np.arange(n), klasse] -= m.sum(axis=1)
    dgewichte = daten.T @ m / n + 2 * staerke * gewichte
    return verlust, dgewichte
def cout_logistique(theta, donnees, reponse):
    h = 1 / (1 + np.exp(-donnees @ theta))
    m = len(reponse)
    J = -np.mean(reponse * np.log(h) + (1 - reponse) * np.log(1 - h))
    gradient = donnees.T @ (h - reponse) / m
    return J, gradient
def costo(theta, dati, attesa):
    r = dati @ theta - attesa
    return (r ** 2).mean(), 2 * dati.T @ r / len(attesa)
""",
    ("dpesos / n + 2 * fuerza * pesos", "dpesos / n + fuerza * pesos"),
    ("m[np.arange(n), klasse] -= m.sum(axis=1)", "m[np.arange(n), klasse] -= 1"),
    ("2 * dati.T @ r / len(attesa)", "dati.T @ r / len(attesa)"),
)
