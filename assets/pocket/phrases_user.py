"""What the user says: by intent, as an answer to a question of Moshi's, and about anything."""

from __future__ import annotations

from phrases_grammar import blocks

INTENTS = blocks("""
# greeting
Hello[| there| Moshi| again]!
Hi[| there| Moshi]!
Hey[| there| Moshi]!
Good [morning|evening|afternoon|day].
[Oh, |Well, |]hello[| there].
Hello, [this is|my name is|I am] {name}.
Hi, I'm {name}.
Hello, nice to meet you.
Hello, can you hear me?
Hi, are you there?
Hey Moshi, it's me[| again].
Good [morning|evening], Moshi.
Hi Moshi, it is [good|nice] to talk to you.
[Hello|Hi], I wanted to talk to you.
# how
How are you?
How are you [today|doing|this morning|tonight|feeling]?
[Hello|Hi], how are you?
[Hi|Hello] Moshi, how are you [today|doing]?
So, how is it going?
How do you feel [today|right now|]?
Are you [okay|well|happy|all right] [today|]?
And how are you?
I am fine, and how are you?
[I'm|I am] [good|fine|very well], thanks, and you?
How was your day?
Did you have a good day?
Is everything [fine|okay] with you?
What's up?
# name
What's your name?
What is your name?
Who are you?
[Please |]tell me your name.
[So |And |Well, ]what's your name[| again]?
Do you have a name?
What should I call you?
May I ask [your name|who you are]?
What do people call you?
[Hello|Hi], who are you?
I don't know your name [yet|].
My name is {name}, what's yours?
I am {name}, who are you?
Who am I talking to?
# weather
What's the weather like [today|]?
How is the weather [today|where you are|]?
[It is|It's] [so |really |very |a bit |]{weather} today.
[The weather is|The weather was] {weather} [today|yesterday|again|].
Do you like {weather} weather?
Will it be {weather} tomorrow?
Is it {weather} where you are?
Do you think it will [rain|snow] [today|tomorrow|]?
It has been {weather} all [day|week|month].
I [hate|love|like] it when it's {weather}.
It was {weather} [this morning|last night], and now it's {weather}.
[I hope|I think] it will be {weather} on the weekend.
Can you tell me what the weather will be [tomorrow|]?
Look at the sky, it is getting {weather}.
# music
Do you like music?
What kind of music do you like?
Do you [like|know|play] {music}?
I [love|like|listen to|really like] {music}.
Can you sing [a song|something|] [for me|]?
I [listen|listened] to {music} [every day|all day|last night].
What's your favourite [song|band|music]?
My favourite music is {music}.
I play {music} with [some friends|my brother|a band].
Do you want to hear a song?
Let's talk about music.
I went to a concert [last night|yesterday], and they played {music}.
Can you play some {music} [for me|]?
[My sister|My friend] sings in a choir.
I'm learning to play the [piano|guitar|drums|violin].
# food
What do you like to eat?
What's your favourite food?
I [like|love|want] {food}.
Do you like {food}?
I am [so |very |]hungry.
I had {food} for [lunch|dinner|breakfast].
I'm [cooking|making] {food} [tonight|today|now].
What should I [cook|eat|make] [tonight|today|for dinner]?
My favourite food is {food}.
I am eating {food} [right now|].
Can you cook [something|{food}|]?
I [don't like|hate] {food}.
I ate too much {food} [today|yesterday|].
Let's talk about food.
We always eat {food} on {day}.
Tell me how to make {food}.
# day
[Today is|It is|It's] {day}.
What are you doing on {day}?
I have [to work|a meeting|a party|time] on {day}.
On {day} I [will see|am meeting|visit] my [friends|family|mother].
I [love|like|hate] {day}[s|].
See you on {day}[|, maybe].
What day is it [today|]?
Is it {day} [today|already]?
Tomorrow is {day}.
Yesterday was {day}.
My [birthday|holiday] is on {day}.
Are you free on {day}?
I can't wait for {day}.
My favourite day is {day}.
# animal
Do you like {animal}?
I [have|love|like|saw] [two|three|some|] {animal}.
I am afraid of {animal}.
What's your favourite animal?
My favourite animals are {animal}.
Do you have a pet?
We have {animal} at home.
I saw {animal} [at the zoo|in the park|on television] [today|yesterday|].
Let's talk about animals.
Are {animal} [smarter|nicer|bigger] than {animal2}?
I [want|would like] to have {animal}.
My [daughter|son|sister] wants {animal}.
Tell me something about {animal}.
I think {animal} are [wonderful|very clever|so funny].
# sport
Do you like sport?
Do you [like|play|watch] {sport}?
I [love|like|hate] {sport}.
I [went|go] {sport} [yesterday|every day|every week].
I [played|watched] {sport} [today|yesterday|on television].
What's your favourite sport?
My favourite sport is {sport}.
Let's talk about sport.
My team won the [match|game] [yesterday|last night|].
We lost the [match|game] again.
I am learning {sport}.
I am too lazy for {sport}.
{sport} is good for you.
My [brother|son|friend] is very good at {sport}.
# joke
Tell me a joke[|, please].
Can you tell me a joke?
Do you know [a|any] [joke|jokes|good jokes]?
Make me laugh[|, please].
Say something funny.
I want to hear a joke.
Please tell me [another|a funny|a good] joke.
Come on, tell me a joke.
Are you funny?
Another joke, please.
I need a joke right now.
Let's hear [a joke|something funny].
How about a joke?
# travel
I [was|am going|went|want to go] to {place} [last year|next week|soon|].
Have you [ever |]been to {place}?
I am [travelling|flying|going] to {place}.
Do you like to travel?
Where would you like to go?
I [love|like|miss] {place}.
We spent our holiday in {place}.
I need a holiday.
I am on holiday [this week|now|].
My [sister|friend|brother] lives in {place}.
What do you know about {place}?
The train to {place} was late again.
Let's talk about travel.
I come from {place}.
# film
Do you like films?
What's your favourite film?
I watched a [good|great|bad|long|boring] film [yesterday|last night|].
Let's talk about films.
Have you seen a good film [lately|]?
I went to the cinema [last night|with a friend].
I [love|like|hate] [funny|sad|scary|old] films.
Do you watch television?
We are going to watch a film [tonight|].
The film was [really|very] [sad|funny|long|scary].
Can you recommend a film?
My favourite film is about {animal}.
I fell asleep in the cinema.
# book
Do you like books?
Do you read [books|a lot|]?
I am reading a [good|great|long|strange|boring] book.
What's your favourite book?
Let's talk about books.
I read a book about {subject} [last week|].
I like to read in bed.
Can you read?
I bought [a|a new|three new] book[s|] [today|].
Reading is my hobby.
The book is about a [dog|king|detective|ship].
I want to write a book.
Tell me a story[|, please].
# work
I have to work [today|tomorrow|tonight|now].
I'm at work [now|].
My work is [hard|boring|great|interesting].
Do you work?
What is your job?
What do you do all day?
I work in a [school|hospital|shop|office|bank].
I am a [teacher|doctor|student|driver|nurse].
I [lost|found|have|need] a [new |]job.
My boss is [nice|angry|terrible|on holiday].
I am so busy [today|at work|this week].
I worked all [day|night|week].
Let's talk about work.
I have too much work [to do|].
# family
Do you have a family?
I have [a brother|a sister|two brothers|three sisters|two children].
My [mother|father|brother|sister|grandmother] is [visiting|coming|here|on the phone].
Do you have [any |][brothers|sisters|children|parents]?
I visited my [family|parents|mother|grandmother] [yesterday|last week|].
My [son|daughter|baby] is [three|five|ten|two] [years old|].
Let's talk about family.
I [love|miss] my family.
My [brother|sister] is getting married [on {day}|next year|].
My wife is [at work|at home|asleep].
My husband is [cooking|working|watching football].
My family is very [big|small|loud].
I am going to have a baby.
# sleep
I am [so |very |really |]tired.
Do you sleep?
I did not sleep [well|] [last night|].
I want to [sleep|go to bed].
I slept [badly|very well|too long].
What do you dream about?
I had a [strange|bad|nice|funny] dream [last night|].
It's [late|very late], I should go to bed.
I can't sleep.
I woke up [too|very] early [today|].
Are you tired?
When do you sleep?
I need [a nap|some sleep|a coffee].
# colour
What's your favourite colour?
My favourite colour is {colour}.
I [like|love|hate] {colour}.
Do you like {colour}?
I painted my [room|kitchen|door|house] {colour}.
I bought a {colour} [car|coat|shirt|hat].
My [car|house|coat|bike] is {colour}.
What colour are you?
Let's talk about colours.
The sky is {colour} [tonight|today|].
Should I wear {colour} [today|]?
I have {colour} shoes.
Is {colour} a good colour?
# able
What can you do?
What can I ask you?
Can you help me?
What do you know?
Tell me what you can do.
How can you help me?
Do you understand me?
Do you understand [what I say|English|everything]?
Can you do anything [else|]?
What are you good at?
Are you clever?
What should we talk about?
How much do you know?
Can you [count|think|hear me]?
# maker
Who made you?
How do you work?
Where do you come from?
Are you a [robot|computer|machine|person]?
Are you real?
Where are you?
How old are you?
What are you?
Are you a real person?
Who [built|trained|programmed] you?
Where do you live?
Are you a big model?
How big are you?
Tell me about yourself.
Tell me something about you.
Do you live in my computer?
# thanks
Thanks[| a lot|, Moshi].
Thank you[| very much| so much|, Moshi].
[Oh, |Great, |Okay, ]thank you.
Thanks for your help.
That was [very |]helpful, thanks.
Thank you for [talking to me|the joke|listening|your time].
That's very kind of you.
You are very [nice|kind|friendly].
I like [you|your voice|talking to you].
Thanks, that's nice.
You are [great|funny|sweet].
Many thanks, my friend.
Well, thank you.
# sorry
Sorry[|, Moshi].
I am [so |very |]sorry.
Oh, sorry, [that was my fault|I was not listening|I did not mean that].
Excuse me.
Sorry, I [have a cough|was away|am late].
I'm sorry about that.
Please forgive me.
I did not want to interrupt you.
Sorry, that was rude.
I apologise.
Oh no, I'm sorry.
Sorry, I talk too much.
# repeat
Can you repeat that[|, please]?
Sorry, what did you say?
Could you say that again[|, please]?
What did you say?
Pardon?
I didn't understand you.
Say that again[|, please].
[Please |]repeat that.
One more time, please.
I did not hear you.
What was that?
I didn't get that[|, sorry].
Can you say it again?
Excuse me, what?
# yes
Yes[|, please|, sure|, of course|, I do|, I think so].
Yeah[|, sure|, of course|, right].
Sure.
Of course.
[Oh |]yes, [that's right|very much|I know|always|why not].
Okay.
All right.
Yes, [yes|I would like that|that is true|let's do that].
Absolutely.
Right.
I think so.
Definitely.
That's true.
# no
No[|, thanks|, thank you|, not really|, I don't|, sorry|, never].
Nope.
[Oh |]no, [I don't think so|not today|not at all|that's wrong].
Not really.
I don't think so.
Not [today|now|yet].
Never.
No way.
I don't want to.
That's not true.
No, I [hate|don't like] that.
Of course not.
# bye
Bye[| bye|, Moshi].
Goodbye[|, Moshi].
[Okay, |Well, |]I have to go [now|], [bye|goodbye].
See you [later|soon|tomorrow|on {day}].
Good night[|, Moshi].
Thanks, [bye|goodbye].
[It was nice|Nice] talking to you, [bye|goodbye].
I must go now.
[Well, |So, |]goodbye, and thank you.
Talk to you [later|soon].
That's all, bye.
Okay, bye, see you later.
I am leaving now, take care.
# sad
I am [so |a bit |very |]sad [today|].
I feel [bad|lonely|terrible|sick] [today|].
I had a [bad|terrible|hard] day.
My day was [awful|terrible|not good].
I have a headache.
Everything went wrong [today|].
I don't feel well.
I lost my [keys|phone|wallet] [today|].
I am [worried|nervous|angry|bored].
Nobody [likes|understands|listens to] me.
I miss my friends.
I am ill.
# happy
I am [so |very |really |]happy [today|].
I had a [great|wonderful|really good] day.
I feel [great|wonderful|fantastic].
I have good news.
Something [good|wonderful] happened [today|].
I won [a prize|the lottery|a game] [today|].
It's my birthday [today|].
I passed my [exam|driving test].
This is the best day of my life.
I am in love.
I got a present [today|].
Life is [good|beautiful].
# wait
Wait, wait, [sorry|please|stop].
Stop[| please|, stop].
[Wait|Hold on][| a moment| a second|, please].
Just a moment[|, please].
[Okay, okay, |Moshi, ]stop.
Sorry, wait.
Let me say something.
Can I say something?
Hey, listen.
Please be quiet.
One moment.
No, no, wait.
""")

ANSWERS = blocks("""
# ask_feeling
[I'm|I am] [fine|good|great|well|very well|okay][|, thanks|, thank you].
[Oh, |]not [so|too] [bad|good][|, thanks].
[Very well|Fine|Great|Good][|, thank you|, thanks].
I am a bit tired[|, but okay].
I feel [good|great|fine|bad] today.
So so.
It is going well, [thanks|and you].
Could be better.
# ask_food
[I like|I love|Mostly|Maybe|I think it's] {food}.
{food}[|, I think|, of course|, always].
{food} and {food2}.
My favourite is {food}.
I had {food} today.
Oh, {food}, with [cheese|salt|lots of butter].
I eat {food} every day.
# ask_day
[On|Maybe on|I think on] {day}.
{day}[|, of course|, I think|, always].
My favourite is {day}.
I like {day}[s|].
It's {day} for me.
{day}, because [I don't work|I can sleep long|I see my friends].
# ask_animal
[I like|I love|I prefer] {animal}.
{animal}[|, of course|, I think].
{animal} and {animal2}.
My favourites are {animal}.
I think {animal} are the best.
We have {animal} at home.
# ask_colour
[I like|I love|Mostly] {colour}.
{colour}[|, of course|, I think].
My favourite is {colour}.
It is {colour}.
Maybe {colour}, [but I'm not sure|because it looks nice].
A [nice|dark|bright] {colour}.
# ask_music
[I like|I love|Mostly|I listen to] {music}.
{music}[|, of course|, I think].
My favourite is {music}.
I like {music} [best|a lot|very much].
Usually {music}, [in the car|in the evening|when I cook].
Just {music}.
# ask_weather
[It is|It's] [very |quite |a bit |]{weather}[| here| today].
{weather}[|, I think|, as always].
[It is|It was] {weather} all day.
Right now it's {weather}.
A bit {weather}, [but nice|to be honest].
Here it is always {weather}.
# ask_sport
[I like|I love|I do] {sport}.
{sport}[|, of course|, I think].
My favourite is {sport}.
I like {sport} [best|a lot|very much].
Sometimes {sport}, [with friends|on {day}].
I watch {sport} on television.
# ask_place
[I'd like to go|I would go|I went|Maybe] to {place}.
{place}[|, of course|, I think].
I love {place}.
To {place}, [with my family|in the summer|by train].
I have always wanted to see {place}.
We go to {place} every year.
# ask_name
[My name is|I am|I'm|It's|You can call me] {name}.
{name}.
[My friends|Most people] call me {name}.
{name}, nice to meet you.
Oh, I am {name}.
I'm called {name}.
# ask_open
I {did} a {thing} {time}.
I was {doing} with my {person}.
Not much, just {doing}.
I met my {person} {time}.
Oh, I like {doing} and {doing2}.
Well, my {person} has a {adj} {thing}.
Mostly I think about {subject}.
I'm not sure, maybe the {thing}.
Let me think, probably {doing}.
I stayed at home and {did} the {thing}.
It was a {adj} {thing}, and I {did} it.
Because I need a {adj} {thing}.
""")

GENERIC = blocks("""
# generic
My {person} {did} a {adj} {thing} {time}.
I {did} the {thing} {adv}.
Do you know anything about {subject}?
I was {doing} {time}, and then I {did} a {thing}.
The {thing} is too {adj} for my {person}.
I think {subject} is more {adj} than {subject2}.
{adv}, the {thing} was {adj}.
Have you ever seen a {adj} {thing}?
There are {number} {adj2} people in the {thing}.
My {person} and my {person2} were {doing} {time}.
Why is the {thing} so {adj}?
We {did} {number} boxes for the {thing}.
{name} {did} my {thing} {time}, and I was very {adj}.
I would like to talk about {subject}.
Yesterday I went {doing} with {name} and we {did} a {thing}.
How many people do you know who like {doing}?
It's {adj} and {adj2}, but I like it.
The {adj} {person} from the {thing} {did} {number} coins {time}.
When I was young, my {person} always {did} the {thing} in the {thing2}.
I never understood {subject}, but my {person} is good at it.
If I had a {thing}, I would go {doing} with {name}.
Somebody {did} the {thing} {time}, and now it's {adj}.
Can you believe that {name} {did} a {thing}?
You should try {doing}, it is {adj}.
I am looking for a {adj} {thing}.
My {person} is {doing} in the {thing} right now.
In the end, it was not the {thing} but the {thing2}.
{name} told me that the {person} {did} a {adj} {thing} in the {thing2}.
So I said to my {person}, please bring the {thing}, but she {did} the {thing2}.
{subject}.
A {thing}.
The {adj} {thing}.
{doing} and {doing2}.
It costs {number} dollars.
I counted {number} of them {time}, maybe more.
Where is the {thing}?
What do you think about {subject}?
I don't care about {subject}.
He {did} it {adv}.
That {thing} was really {adj}, don't you think?
Well, the {person} came {time}, {did} the {thing}, and left {adv}.
First we {did} the {thing}, then the {thing2}, and after that we went {doing}.
I have been {doing} {time}, and it makes me {adj}.
""")["generic"]

PRECISE = {
    "ask_feeling": {
        r"not (so|too) good|tired|bad today|Could be|So so": "feel bad",
        r".": "feel good",
    },
    "greeting": {r"\bhear me|are you there": "hear", r"my name is|this is|I'm|I am|meet": "meet"},
    "able": {r"[Dd]o you understand|hear me": "able understand"},
    "maker": {
        r"\b(made|built|trained|programmed) you": "maker who",
        r"\bWhere|live": "maker place",
        r"\bold": "maker age",
        r"\bbig": "maker size",
        r"robot|real|[Ww]hat are you": "maker person",
    },
    "music": {r"favourite .*\?|What kind": "favourite music", r"Can you (sing|play)": "sing"},
    "food": {
        r"hate|don't like|too much": "dislike food",
        r"favourite .*\?|you like to eat": "favourite food",
        r"\bhungry": "hungry",
    },
    "animal": {
        r"afraid": "dislike animal",
        r"favourite .*\?": "favourite animal",
        r"\bpet": "asks pet",
    },
    "sport": {r"hate|too lazy": "dislike sport", r"favourite .*\?": "favourite sport"},
    "colour": {r"hate": "dislike colour", r"favourite .*\?|What colour": "favourite colour"},
    "film": {r"favourite .*\?|recommend": "favourite film", r"Do you|Have you": "asks film"},
    "book": {
        r"favourite .*\?": "favourite book",
        r"a story": "story",
        r"(Do|Can) you": "asks read",
    },
    "day": {r"hate": "dislike day", r"What day is": "asks day"},
    "weather": {
        r"hate": "dislike weather",
        r"What's|How is|Can you tell|will (rain|snow)\b": "asks weather",
    },
    "family": {r"Do you": "asks family"},
    "work": {r"you work|your job|you do all": "asks work"},
    "sleep": {r"\byou\b": "asks sleep"},
    "travel": {r"you like to (travel|go)": "asks travel"},
    "sad": {r"headache|\bill\b|sick|feel well": "ill"},
    "happy": {r"birthday": "birthday"},
}
"""Of intents, what the user's words (a regular expression) say more precisely."""
