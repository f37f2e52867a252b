"""What is said about a picture: questions and answers in eight languages, grammatically inflected.

Every function takes a language code and plain facts of a scene (`scenes.py`) and returns text. A question has a few
wordings, an answer exactly one, so that answers can be compared letter by letter.
"""

LANGUAGES = ("en", "de", "fr", "it", "pt", "hi", "es", "th")
KINDS = ("circle", "square", "triangle")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")

NOUNS = {
    "en": ("circle", "square", "triangle"),
    "de": ("Kreis", "Quadrat", "Dreieck"),
    "fr": ("cercle", "carré", "triangle"),
    "it": ("cerchio", "quadrato", "triangolo"),
    "pt": ("círculo", "quadrado", "triângulo"),
    "hi": ("वृत्त", "वर्ग", "त्रिभुज"),
    "es": ("círculo", "cuadrado", "triángulo"),
    "th": ("วงกลม", "สี่เหลี่ยมจัตุรัส", "สามเหลี่ยม"),
}

# As said of a masculine noun, or alone.
ADJECTIVES = {
    "en": ("red", "green", "blue", "yellow", "purple", "orange"),
    "de": ("rot", "grün", "blau", "gelb", "violett", "orange"),
    "fr": ("rouge", "vert", "bleu", "jaune", "violet", "orange"),
    "it": ("rosso", "verde", "blu", "giallo", "viola", "arancione"),
    "pt": ("vermelho", "verde", "azul", "amarelo", "roxo", "laranja"),
    "hi": ("लाल", "हरा", "नीला", "पीला", "बैंगनी", "नारंगी"),
    "es": ("rojo", "verde", "azul", "amarillo", "morado", "naranja"),
    "th": ("สีแดง", "สีเขียว", "สีน้ำเงิน", "สีเหลือง", "สีม่วง", "สีส้ม"),
}
GERMAN_STEMS = ("rot", "grün", "blau", "gelb", "violett", "orangefarben")
HINDI_OBLIQUE = ("लाल", "हरे", "नीले", "पीले", "बैंगनी", "नारंगी")
HINDI_FEMININE = ("लाल", "हरी", "नीली", "पीली", "बैंगनी", "नारंगी")


def noun(lang, kind):
    return NOUNS[lang][KINDS.index(kind)]


def colour(lang, name):
    """The colour alone: the answer to 'which colour'."""
    return ADJECTIVES[lang][COLOURS.index(name)]


def german(kind, colour_name, case):
    """`case`: indefinite nominative or accusative, definite nominative or dative."""
    stem, word = GERMAN_STEMS[COLOURS.index(colour_name)], noun("de", kind)
    masculine = kind == "circle"
    if case == "a":
        return f"ein {stem}er {word}" if masculine else f"ein {stem}es {word}"
    if case == "accusative":
        return f"einen {stem}en {word}" if masculine else f"ein {stem}es {word}"
    if case == "dative":
        return f"dem {stem}en {word}"
    return f"der {stem}e {word}" if masculine else f"das {stem}e {word}"


def the(lang, kind, colour_name):
    """'the red circle', as a subject."""
    word, adjective = noun(lang, kind), colour(lang, colour_name)
    return {
        "en": f"the {adjective} {word}",
        "de": german(kind, colour_name, "the"),
        "fr": f"le {word} {adjective}",
        "it": f"il {word} {adjective}",
        "pt": f"o {word} {adjective}",
        "hi": f"{adjective} {word}",
        "es": f"el {word} {adjective}",
        "th": f"{word}{adjective}",
    }[lang]


def bare(lang, kind):
    """'the circle', as a subject."""
    word = noun(lang, kind)
    article = {"en": "the ", "fr": "le ", "it": "il ", "pt": "o ", "es": "el ", "hi": "", "th": ""}
    return ("der " if kind == "circle" else "das ") + word if lang == "de" else article[lang] + word


def sized(lang, kind, colour_name, is_large):
    """'a large red circle'."""
    word, adjective = noun(lang, kind), colour(lang, colour_name)
    if lang == "de":
        size = "groß" if is_large else "klein"
        ending = "er" if kind == "circle" else "es"
        return f"ein {size}{ending} {GERMAN_STEMS[COLOURS.index(colour_name)]}{ending} {word}"
    return {
        "en": f"a {'large' if is_large else 'small'} {adjective} {word}",
        "fr": f"un {'grand' if is_large else 'petit'} {word} {adjective}",
        "it": f"un {'grande' if is_large else 'piccolo'} {word} {adjective}",
        "pt": f"um {word} {adjective} {'grande' if is_large else 'pequeno'}",
        "hi": f"एक {'बड़ा' if is_large else 'छोटा'} {adjective} {word}",
        "es": f"un {word} {adjective} {'grande' if is_large else 'pequeño'}",
        "th": f"{word}{adjective}{'ขนาดใหญ่' if is_large else 'ขนาดเล็ก'}",
    }[lang]


def end_of_phrase(lang, question, kind, colour_name, start=0):
    """Where in the question a shape has been named in full; either of kind and colour may be left out."""
    ends = []
    if kind:
        ends.append(question.index(noun(lang, kind), start) + len(noun(lang, kind)))
    if colour_name:
        index = COLOURS.index(colour_name)
        forms = {"de": (GERMAN_STEMS,), "hi": (HINDI_OBLIQUE, HINDI_FEMININE)}.get(lang, ())
        words = [ADJECTIVES[lang][index], *(form[index] for form in forms)]
        found = [(question.find(word, start), len(word)) for word in words]
        at, length = min(pair for pair in found if pair[0] >= 0)
        ends.append(at + length)
    return max(ends)


AND = {"en": "and", "de": "und", "fr": "et", "it": "e", "pt": "e", "hi": "और", "es": "y", "th": "และ"}


def caption(lang, shapes):
    """`shapes`: (kind, colour, is_large) from left to right."""
    parts = [sized(lang, *shape) for shape in shapes]
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} {AND[lang]} {parts[-1]}"


NUMBER_CAPTION = {
    "en": "the number {}", "de": "die Zahl {}", "fr": "le nombre {}", "it": "il numero {}",
    "pt": "o número {}", "hi": "संख्या {}", "es": "el número {}", "th": "ตัวเลข {}",
}  # fmt: skip

CAPTION_QUESTIONS = {
    "en": ("Describe the picture.", "What do you see?", "What is in this picture?"),
    "de": ("Beschreibe das Bild.", "Was siehst du?", "Was ist auf diesem Bild?"),
    "fr": ("Décris l'image.", "Que vois-tu ?", "Qu'y a-t-il sur cette image ?"),
    "it": ("Descrivi l'immagine.", "Che cosa vedi?", "Che cosa c'è in questa immagine?"),
    "pt": ("Descreva a imagem.", "O que você vê?", "O que há nesta imagem?"),
    "hi": ("चित्र का वर्णन कीजिए।", "आप क्या देखते हैं?", "इस चित्र में क्या है?"),
    "es": ("Describe la imagen.", "¿Qué ves?", "¿Qué hay en esta imagen?"),
    "th": ("อธิบายภาพนี้", "คุณเห็นอะไร", "มีอะไรอยู่ในภาพนี้"),
}

COUNT_QUESTIONS = {
    "en": ("How many shapes are there?", "How many shapes do you see?"),
    "de": ("Wie viele Formen gibt es?", "Wie viele Formen siehst du?"),
    "fr": ("Combien de formes y a-t-il ?", "Combien de formes vois-tu ?"),
    "it": ("Quante forme ci sono?", "Quante forme vedi?"),
    "pt": ("Quantas formas há?", "Quantas formas você vê?"),
    "hi": ("कितनी आकृतियाँ हैं?", "आप कितनी आकृतियाँ देखते हैं?"),
    "es": ("¿Cuántas formas hay?", "¿Cuántas formas ves?"),
    "th": ("มีรูปทรงกี่รูป", "คุณเห็นรูปทรงกี่รูป"),
}

NUMBER_QUESTIONS = {
    "en": ("Which number is this?", "Read the number."),
    "de": ("Welche Zahl ist das?", "Lies die Zahl."),
    "fr": ("Quel est ce nombre ?", "Lis le nombre."),
    "it": ("Che numero è questo?", "Leggi il numero."),
    "pt": ("Que número é este?", "Leia o número."),
    "hi": ("यह कौन सी संख्या है?", "संख्या पढ़िए।"),
    "es": ("¿Qué número es este?", "Lee el número."),
    "th": ("นี่คือเลขอะไร", "อ่านตัวเลขนี้"),
}


def colour_question(lang, kind):
    subject = bare(lang, kind)
    return {
        "en": f"What colour is {subject}?",
        "de": f"Welche Farbe hat {subject}?",
        "fr": f"De quelle couleur est {subject} ?",
        "it": f"Di che colore è {subject}?",
        "pt": f"Qual é a cor d{subject}?",
        "hi": f"{subject} का रंग क्या है?",
        "es": f"¿De qué color es {subject}?",
        "th": f"{subject}สีอะไร",
    }[lang]


def shape_question(lang, colour_name):
    adjective = colour(lang, colour_name)
    feminine = HINDI_FEMININE[COLOURS.index(colour_name)]
    return {
        "en": f"What is {adjective}?",
        "de": f"Was ist {adjective}?",
        "fr": f"Qu'est-ce qui est {adjective} ?",
        "it": f"Che cosa è {adjective}?",
        "pt": f"O que é {adjective}?",
        "hi": f"कौन सी आकृति {feminine} है?",
        "es": f"¿Qué es {adjective}?",
        "th": f"อะไร{adjective}",
    }[lang]


def side_question(lang, first, second):
    """`first` and `second`: (kind, colour)."""
    subject = the(lang, *first)
    word, adjective = noun(lang, second[0]), colour(lang, second[1])
    oblique = HINDI_OBLIQUE[COLOURS.index(second[1])]
    return {
        "en": f"Is {subject} left or right of {the(lang, *second)}?",
        "de": f"Ist {subject} links oder rechts von {german(*second, 'dative')}?",
        "fr": f"{subject[0].upper()}{subject[1:]} est-il à gauche ou à droite du {word} {adjective} ?",
        "it": f"{subject[0].upper()}{subject[1:]} è a sinistra o a destra del {word} {adjective}?",
        "pt": f"{subject[0].upper()}{subject[1:]} está à esquerda ou à direita do {word} {adjective}?",
        "hi": f"{subject} {oblique} {word} के बाईं ओर है या दाईं ओर?",
        "es": f"¿{subject[0].upper()}{subject[1:]} está a la izquierda o a la derecha del {word} {adjective}?",
        "th": f"{subject}อยู่ทางซ้ายหรือทางขวาของ{word}{adjective}",
    }[lang]


SIDES = {
    "en": ("left", "right"), "de": ("links", "rechts"), "fr": ("à gauche", "à droite"),
    "it": ("a sinistra", "a destra"), "pt": ("à esquerda", "à direita"), "hi": ("बाईं ओर", "दाईं ओर"),
    "es": ("a la izquierda", "a la derecha"), "th": ("ทางซ้าย", "ทางขวา"),
}  # fmt: skip


def larger_question(lang, first, second):
    a, b = the(lang, *first), the(lang, *second)
    return {
        "en": f"Which is larger, {a} or {b}?",
        "de": f"Was ist größer, {a} oder {b}?",
        "fr": f"Lequel est plus grand, {a} ou {b} ?",
        "it": f"Quale è più grande, {a} o {b}?",
        "pt": f"Qual é maior, {a} ou {b}?",
        "hi": f"कौन बड़ा है, {a} या {b}?",
        "es": f"¿Cuál es más grande, {a} o {b}?",
        "th": f"อะไรใหญ่กว่ากัน {a}หรือ{b}",
    }[lang]


def exists_question(lang, kind, colour_name):
    word, adjective = noun(lang, kind), colour(lang, colour_name)
    return {
        "en": f"Is there {'an' if adjective[0] in 'aeiou' else 'a'} {adjective} {word}?",
        "de": f"Gibt es {german(kind, colour_name, 'accusative')}?",
        "fr": f"Y a-t-il un {word} {adjective} ?",
        "it": f"C'è un {word} {adjective}?",
        "pt": f"Há um {word} {adjective}?",
        "hi": f"क्या कोई {adjective} {word} है?",
        "es": f"¿Hay un {word} {adjective}?",
        "th": f"มี{word}{adjective}ไหม",
    }[lang]


YES_NO = {
    "en": ("yes", "no"), "de": ("ja", "nein"), "fr": ("oui", "non"), "it": ("sì", "no"), "pt": ("sim", "não"),
    "hi": ("हाँ", "नहीं"), "es": ("sí", "no"), "th": ("มี", "ไม่มี"),
}  # fmt: skip

ASK_FOR_PICTURE = {
    "en": "Please show me a picture.",
    "de": "Bitte zeig mir ein Bild.",
    "fr": "Montre-moi une image, s'il te plaît.",
    "it": "Mostrami un'immagine, per favore.",
    "pt": "Mostre-me uma imagem, por favor.",
    "hi": "कृपया मुझे एक चित्र दिखाइए।",
    "es": "Muéstrame una imagen, por favor.",
    "th": "โปรดให้ฉันดูภาพ",
}
GREETINGS = {
    "en": ("Hello!", "Who are you?"), "de": ("Hallo!", "Wer bist du?"), "fr": ("Bonjour !", "Qui es-tu ?"),
    "it": ("Ciao!", "Chi sei?"), "pt": ("Olá!", "Quem é você?"), "hi": ("नमस्ते!", "आप कौन हैं?"),
    "es": ("¡Hola!", "¿Quién eres?"), "th": ("สวัสดี", "คุณคือใคร"),
}  # fmt: skip
