"""The words for the slots: those that Moshi may repeat, and a wide vocabulary for the user."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    """The words of a text; an underscore is a blank within one."""
    return [word.replace("_", " ") for word in text.split()]


SHARED = {
    "day": _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "food": _words(
        "pizza pasta rice soup bread cheese fish chicken salad chocolate apples bananas potatoes "
        "ice_cream cake eggs"
    ),
    "animal": _words("dogs cats birds horses rabbits fish elephants lions monkeys bears mice"),
    "colour": _words("red blue green yellow black white orange purple pink"),
    "music": _words("jazz rock pop blues folk classical_music piano_music guitar_music opera"),
    "weather": _words("sunny rainy cloudy windy snowy cold hot warm"),
    "sport": _words("football tennis swimming running basketball cycling golf dancing"),
    "place": _words("Paris London Rome Japan Spain Italy Africa America India Berlin"),
}
"""Said by the user, learned by Moshi from the sound."""

NAMES = _words(
    "Anna Ben Clara David Emma Frank Grace Henry Ida Jack Kate Leo Maria Nick Olivia Paul Rose "
    "Sam Tina Victor Alice Bob Carol Daniel Eric Fiona George Helen Ivan Julia Kevin Laura Martin "
    "Nina Oscar Peter Robert Sarah Thomas Walter"
)
_PEOPLE = _words(
    "brother sister mother father uncle aunt cousin neighbour teacher doctor boss friend daughter "
    "son grandmother grandfather nephew niece colleague dentist plumber driver landlord lawyer "
    "farmer painter baker butcher nurse pilot sailor student gardener tailor waiter manager "
    "singer dancer writer engineer captain soldier judge mayor priest king queen carpenter "
    "electrician mechanic librarian secretary guide guest stranger customer"
)
_THINGS = _words(
    "table chair window door kitchen garden bicycle car train bus ticket suitcase umbrella coat "
    "jacket shirt hat shoe boot glove scarf watch clock lamp candle mirror carpet curtain pillow "
    "blanket bed sofa shelf drawer box bottle cup glass plate bowl spoon fork knife pan oven "
    "fridge sink towel soap brush comb razor hammer nail screw ladder rope bucket broom shovel "
    "rake basket bag wallet purse key lock letter envelope stamp newspaper magazine pencil pen "
    "paper notebook computer keyboard screen printer camera phone radio television speaker "
    "battery cable plug machine engine wheel tyre boat ship plane bridge tower castle church "
    "school hospital library museum theatre station airport harbour market shop bank office "
    "factory farm field forest mountain valley river lake island beach desert cave stone rock "
    "sand wood metal plastic leather cotton wool silk gold silver diamond ring necklace coin "
    "flag map drum violin trumpet flute puzzle ball kite doll balloon present painting statue "
    "photograph poem story song letter recipe receipt contract password project report meeting "
    "lecture problem answer question mistake secret promise plan idea dream memory habit tree "
    "flower leaf root branch grass bush seed carrot onion tomato pepper mushroom lemon grape "
    "peach pear cherry plum strawberry melon nut honey sugar salt butter cream milk juice tea "
    "coffee sandwich sausage biscuit pie pancake noodle bean cabbage spider bee butterfly ant "
    "snail snake frog turtle whale dolphin shark wolf fox deer squirrel goat sheep cow pig duck "
    "goose owl eagle parrot pigeon fence roof wall ceiling floor stairs basement attic balcony "
    "chimney garage street corner crossroads pavement tunnel village suburb city country border"
)
_ADJECTIVES = _words(
    "big small old new young long short tall low high wide narrow thick thin heavy light strong "
    "weak fast slow early late loud quiet bright dark clean dirty dry wet soft hard smooth rough "
    "sharp round square flat deep shallow empty full rich poor cheap expensive free busy lazy "
    "clever silly brave shy proud modest kind cruel polite rude honest strange normal common "
    "rare famous unknown modern ancient broken wooden golden plastic beautiful ugly pretty lovely "
    "terrible wonderful awful perfect dangerous safe simple complicated easy difficult important "
    "useful useless comfortable boring interesting exciting surprising annoying funny serious "
    "secret public private local foreign royal natural fresh rotten sweet sour bitter salty spicy "
    "delicious hungry thirsty tired sleepy nervous calm angry gentle careful careless crazy "
    "curious friendly lonely grateful jealous lucky patient reliable special tiny enormous"
)
_ACTIONS = _words(
    "bought sold found lost broke fixed painted cleaned washed moved carried dropped kicked threw "
    "caught hid opened closed locked measured drew described borrowed returned stole wanted "
    "needed hated loved forgot remembered noticed ignored touched pushed pulled lifted built "
    "destroyed burned covered wrapped unpacked ordered collected counted tested repaired "
    "photographed watched brought took left kept showed sent received chose tried shared "
    "replaced decorated invented discovered followed missed admired praised"
)
_ACTING = _words(
    "walking cooking reading writing singing drawing painting fishing climbing sailing skating "
    "skiing driving shopping cleaning studying knitting sewing gardening baking camping hiking "
    "jogging diving surfing juggling whispering shouting complaining arguing waiting dreaming "
    "travelling packing unpacking moving building repairing collecting photographing typing "
    "programming teaching learning counting guessing pretending exercising stretching meditating"
)
_ADVERBS = _words(
    "quickly slowly quietly loudly carefully suddenly finally usually often sometimes rarely "
    "always never nearly almost already yesterday today tomorrow tonight recently probably "
    "certainly perhaps unfortunately luckily strangely honestly secretly happily sadly together "
    "alone outside inside upstairs downstairs abroad somewhere everywhere again twice immediately "
    "eventually apparently basically actually clearly gently nervously proudly badly"
)
_TIMES = _words(
    "this_morning last_night last_week two_days_ago in_the_evening at_noon next_month last_summer "
    "in_winter in_spring every_autumn at_midnight after_lunch before_breakfast during_the_holidays "
    "a_year_ago in_January in_February in_March in_April in_May in_June in_July in_August "
    "in_September in_October in_November in_December for_three_hours since_yesterday "
    "ten_minutes_ago once_a_week twice_a_day in_the_afternoon on_my_birthday at_Christmas"
)
_NUMBERS = _words(
    "two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty thirty "
    "forty fifty sixty seventy eighty ninety a_hundred a_thousand a_million"
)
_ABSTRACT = _words(
    "politics history science mathematics chemistry physics biology geography philosophy religion "
    "economics fashion architecture technology medicine engineering literature poetry grammar "
    "justice freedom friendship love happiness luck money power nature space gravity electricity "
    "traffic pollution education advertising insurance taxes electronics astronomy psychology "
    "law language art theatre cinema agriculture tourism weather_forecasts crosswords chess"
)

WORDS: dict[str, list[str]] = SHARED | {
    "name": NAMES,
    "person": _PEOPLE,
    "thing": _THINGS,
    "adj": _ADJECTIVES,
    "did": _ACTIONS,
    "doing": _ACTING,
    "adv": _ADVERBS,
    "time": _TIMES,
    "number": _NUMBERS,
    "subject": _ABSTRACT,
}
for _slot in ("name", "person", "thing", "adj", "food", "animal", "subject", "doing"):
    WORDS[f"{_slot}2"] = WORDS[_slot]
