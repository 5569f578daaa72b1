#include "heed/cli/demo_words.h"

namespace heed::cli::demo {
namespace {

constexpr uint32_t kGoods = kPriced | kOwned;
constexpr uint32_t kEvery = kPast | kProgressive | kModal;

constexpr Noun nouns[] = {
    {"book", "books", "书", "本", kText | kLend | kSize | kSmall | kGoods},
    {"dictionary", "dictionaries", "词典", "本", kText | kLend | kSize | kSmall | kGoods},
    {"novel", "novels", "小说", "本", kText | kWork | kLend | kSize | kSmall | kGoods},
    {"magazine", "magazines", "杂志", "本", kText | kLend | kSize | kSmall | kGoods},
    {"letter", "letters", "信", "封", kText | kWork | kSmall | kOwned},
    {"poem", "poems", "诗", "首", kText | kWork},
    {"song", "songs", "歌", "首", kSong | kWork},
    {"film", "films", "电影", "部", kFilm},
    {"apple", "apples", "苹果", "个", kFood | kPaint | kWash | kSize | kSmall | kPriced},
    {"orange", "oranges", "橙子", "个", kFood | kPaint | kWash | kSize | kSmall | kPriced},
    {"egg", "eggs", "鸡蛋", "个", kFood | kSize | kSmall | kPriced},
    {"cake", "cakes", "蛋糕", "个", kFood | kSize | kSmall | kGoods},
    {"bowl of rice", "bowls of rice", "米饭", "碗", kFood | kSmall},
    {"bowl of noodles", "bowls of noodles", "面条", "碗", kFood | kSmall},
    {"cup of tea", "cups of tea", "茶", "杯", kDrink | kSmall},
    {"cup of coffee", "cups of coffee", "咖啡", "杯", kDrink | kSmall},
    {"glass of milk", "glasses of milk", "牛奶", "杯", kDrink | kSmall},
    {"glass of water", "glasses of water", "水", "杯", kDrink | kSmall},
    {"cat", "cats", "猫", "只", kAnimal | kPaint | kSize | kGoods},
    {"dog", "dogs", "狗", "只", kAnimal | kPaint | kWash | kSize | kGoods},
    {"bird", "birds", "鸟", "只", kAnimal | kPaint | kColour | kSize | kGoods},
    {"rabbit", "rabbits", "兔子", "只", kAnimal | kPaint | kSize | kGoods},
    {"fish", "fish", "鱼", "条", kPaint | kColour | kSize | kPriced},
    {"flower", "flowers", "花", "朵", kPaint | kColour | kSize | kSmall | kPriced},
    {"car", "cars", "汽车", "辆", kMachine | kDriven | kWash | kLend | kColour | kSize | kGoods},
    {"bicycle", "bicycles", "自行车", "辆", kMachine | kRidden | kWash | kLend | kColour | kSize | kGoods},
    {"computer", "computers", "电脑", "台", kMachine | kLend | kOpened | kSmall | kSize | kGoods},
    {"phone", "phones", "手机", "部", kMachine | kLend | kSmall | kColour | kSize | kGoods},
    {"table", "tables", "桌子", "张", kMachine | kPutDown | kWash | kColour | kSize | kGoods},
    {"bed", "beds", "床", "张", kMachine | kPutDown | kSize | kGoods},
    {"map", "maps", "地图", "张", kPaint | kLend | kOpened | kSize | kSmall | kGoods},
    {"chair", "chairs", "椅子", "把", kMachine | kPutDown | kWash | kColour | kSize | kGoods},
    {"umbrella", "umbrellas", "雨伞", "把", kMachine | kLend | kOpened | kColour | kSize | kSmall | kGoods},
    {"key", "keys", "钥匙", "把", kLend | kSize | kSmall | kOwned},
    {"shirt", "shirts", "衬衫", "件", kWash | kLend | kColour | kSize | kSmall | kGoods},
    {"coat", "coats", "大衣", "件", kWash | kLend | kColour | kSize | kSmall | kGoods},
    {"skirt", "skirts", "裙子", "条", kWash | kLend | kColour | kSize | kSmall | kGoods},
    {"pen", "pens", "钢笔", "支", kLend | kColour | kSize | kSmall | kGoods},
    {"pencil", "pencils", "铅笔", "支", kLend | kColour | kSize | kSmall | kGoods},
    {"bag", "bags", "包", "个", kLend | kOpened | kWash | kColour | kSize | kSmall | kGoods},
    {"box", "boxes", "盒子", "个", kLend | kOpened | kColour | kSize | kSmall | kGoods},
    {"toy", "toys", "玩具", "个", kMachine | kLend | kWash | kColour | kSize | kSmall | kGoods},
};

constexpr PersonNoun persons[] = {
    {"student", "students", "学生"}, {"teacher", "teachers", "老师"},     {"doctor", "doctors", "医生"},
    {"nurse", "nurses", "护士"},     {"writer", "writers", "作家"},       {"singer", "singers", "歌手"},
    {"driver", "drivers", "司机"},   {"farmer", "farmers", "农民"},       {"cook", "cooks", "厨师"},
    {"worker", "workers", "工人"},   {"reporter", "reporters", "记者"},   {"painter", "painters", "画家"},
    {"lawyer", "lawyers", "律师"},   {"engineer", "engineers", "工程师"},
};

constexpr Subject subjects[] = {
    {"I", "我", Person::kI},
    {"you", "你", Person::kPlural},
    {"he", "他", Person::kSingular},
    {"she", "她", Person::kSingular},
    {"we", "我们", Person::kPlural, true},
    {"they", "他们", Person::kPlural, true},
    {"Tom", "汤姆", Person::kSingular, false, true},
    {"Mary", "玛丽", Person::kSingular, false, true},
    {"Tom and Mary", "汤姆 和 玛丽", Person::kPlural, true, true},
    {"my mother", "我 的 妈妈", Person::kSingular, false, true},
    {"my father", "我 的 爸爸", Person::kSingular, false, true},
    {"her friend", "她 的 朋友", Person::kSingular, false, true},
    {"his daughter", "他 的 女儿", Person::kSingular, false, true},
    {"the teacher", "老师", Person::kSingular, false, true},
    {"the doctor", "医生", Person::kSingular, false, true},
    {"the students", "学生们", Person::kPlural, true, true},
};

constexpr Words possessors[] = {
    {"my", "我 的"},    {"your", "你 的"},    {"his", "他 的"},     {"her", "她 的"},
    {"our", "我们 的"}, {"their", "他们 的"}, {"Tom's", "汤姆 的"}, {"Mary's", "玛丽 的"},
};

constexpr Adjective adjectives[] = {
    {"happy", "happier", "高兴", 0},
    {"tired", nullptr, "累", 0},
    {"busy", "busier", "忙", 0},
    {"hungry", nullptr, "饿", 0},
    {"thirsty", nullptr, "渴", 0},
    {"young", "younger", "年轻", 0},
    {"tall", "taller", "高", 0},
    {"clever", "cleverer", "聪明", 0},
    {"strong", "stronger", "强壮", 0},
    {"famous", "more famous", "有名", 0},
    {"expensive", "more expensive", "贵", kPriced},
    {"cheap", "cheaper", "便宜", kPriced},
    {"new", "newer", "新", kMachine | kLend},
    {"old", "older", "旧", kMachine | kLend},
    {"big", "bigger", "大", kSize},
    {"small", "smaller", "小", kSize},
    {"clean", "cleaner", "干净", kWash},
    {"dirty", "dirtier", "脏", kWash},
    {"interesting", "more interesting", "有趣", kText | kFilm},
    {"hot", "hotter", "热", kDrink},
    {"delicious", "more delicious", "好吃", kFood},
};

constexpr Words colours[] = {
    {"red", "红色 的"},   {"blue", "蓝色 的"},  {"black", "黑色 的"},
    {"white", "白色 的"}, {"green", "绿色 的"}, {"yellow", "黄色 的"},
};

constexpr Words sizes[] = {{"big", "大"}, {"small", "小"}};
constexpr Words ages[] = {{"new", "新"}, {"old", "旧"}};

constexpr Words numbers[] = {{"two", "两"}, {"three", "三"}, {"four", "四"}, {"five", "五"}, {"ten", "十"}};

constexpr Verb verbs[] = {
    {"buy", "bought", "buying", "买", kPriced, kEvery},
    {"sell", "sold", "selling", "卖", kGoods, kPast | kModal},
    {"read", "read", "reading", "看", kText, kEvery | kPastNeedsTime},  // "I read" alone may be now or then
    {"write", "wrote", "writing", "写", kWork, kEvery},
    {"eat", "ate", "eating", "吃", kFood, kEvery},
    {"drink", "drank", "drinking", "喝", kDrink, kEvery},
    {"draw", "drew", "drawing", "画", kPaint, kEvery},
    {"borrow", "borrowed", "borrowing", "借", kLend, kPast | kModal},
    {"wash", "washed", "washing", "洗", kWash, kEvery},
    {"repair", "repaired", "repairing", "修", kMachine, kEvery},
    {"find", "found", nullptr, "找到", kOwned, kPast | kModal},
    {"open", "opened", "opening", "打开", kOpened, kEvery},
    {"sing", "sang", "singing", "唱", kSong, kEvery},
    {"watch", "watched", "watching", "看", kFilm, kEvery},
    {"drive", "drove", "driving", "开", kDriven, kPast | kModal | kProgressive},
    {"ride", "rode", "riding", "骑", kRidden, kPast | kModal | kProgressive},
};

constexpr Activity activities[] = {
    {"work", "works", "worked", "工作"},
    {"study", "studies", "studied", "学习"},
    {"rest", "rests", "rested", "休息"},
    {"dance", "dances", "danced", "跳舞"},
    {"sleep", "sleeps", "slept", "睡觉"},
    {"eat lunch", "eats lunch", "ate lunch", "吃 午饭"},
    {"read the newspaper", "reads the newspaper", "read the newspaper", "看 报纸"},
};

constexpr Place places[] = {
    {"at home", nullptr, "家"},
    {"at school", "to school", "学校"},
    {"in the park", "to the park", "公园"},
    {"in the library", "to the library", "图书馆"},
    {"at the hospital", "to the hospital", "医院"},
    {"in the shop", "to the shop", "商店"},
    {"at the station", "to the station", "车站"},
    {"at the museum", "to the museum", "博物馆"},
    {"in the restaurant", "to the restaurant", "饭馆"},
    {"at the bank", "to the bank", "银行"},
    {"in Beijing", "to Beijing", "北京"},
    {"in Shanghai", "to Shanghai", "上海"},
};

constexpr Words past_times[] = {{"yesterday", "昨天"}, {"last week", "上周"}, {"this morning", "今天 早上"}};
constexpr Words future_times[] = {{"tomorrow", "明天"}, {"next week", "下周"}, {"tonight", "今晚"}};
constexpr Words habits[] = {{"every day", "每天"}, {"every morning", "每天 早上"}, {"every evening", "每天 晚上"}};

}  // namespace

const std::span<const Noun> kNouns = nouns;
const std::span<const PersonNoun> kPersons = persons;
const std::span<const Subject> kSubjects = subjects;
const std::span<const Words> kPossessors = possessors;
const std::span<const Adjective> kAdjectives = adjectives;
const std::span<const Words> kColours = colours;
const std::span<const Words> kSizes = sizes;
const std::span<const Words> kAges = ages;
const std::span<const Words> kNumbers = numbers;
const std::span<const Verb> kVerbs = verbs;
const std::span<const Activity> kActivities = activities;
const std::span<const Place> kPlaces = places;
const std::span<const Words> kPastTimes = past_times;
const std::span<const Words> kFutureTimes = future_times;
const std::span<const Words> kHabits = habits;

}  // namespace heed::cli::demo
