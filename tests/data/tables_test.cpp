#include "heed/data/tables.h"

#include <gmock/gmock.h>

#include <fstream>

#include "message_of.h"
#include "shared_files.h"

namespace heed::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class TableTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  Table table(const std::string& name, const std::string& text, const TableOptions& options = {}) {
    return Table::read(file(name, text), options);
  }
  std::string reason(const std::string& name, const std::string& text) {
    return testing::message_of([&] {
      const Table t = table(name, text);
      t.cell(t.rows() - 1, t.column({"label"}));
    });
  }

  heed::testing::TemporaryFolder folder_;
};

TEST_F(TableTest, Tsv) {
  const Table t = table("a.tsv", "sentence\tlabel\nit \"is\" good , yes\t1\n\t0\r\n");
  ASSERT_EQ(t.rows(), 2u);
  EXPECT_THAT(t.columns(), ElementsAre("sentence", "label"));
  EXPECT_EQ(t.cell(0, t.column({"text", "sentence"})), "it \"is\" good , yes");
  EXPECT_EQ(t.cell(1, 0), "");
  EXPECT_EQ(t.cell(1, 1), "0");
  EXPECT_THAT(t.where(1), HasSubstr("a.tsv:3"));
  EXPECT_THAT(t.list(0, 1), ElementsAre("1"));
}

TEST_F(TableTest, WithoutHeaderColumnsAreNumbers) {
  const Table t = table("a.tsv", "x\ty\nz\tw\n", {.header = false});
  ASSERT_EQ(t.rows(), 2u);
  EXPECT_EQ(t.cell(0, t.column({"2"})), "y");
  EXPECT_EQ(table("b.tsv", "x\ty\nz\tw\n", {.header = false, .max_rows = 1}).rows(), 1u);
}

TEST_F(TableTest, CsvQuotes) {
  const Table t = table("a.csv", "text,label\n\"a, \"\"b\"\"\nsecond line\",1\n,\"\"\nplain,2\n");
  ASSERT_EQ(t.rows(), 3u);
  EXPECT_EQ(t.cell(0, 0), "a, \"b\"\nsecond line");
  EXPECT_EQ(t.cell(1, 0), "");
  EXPECT_EQ(t.cell(1, 1), "");
  EXPECT_EQ(t.cell(2, 1), "2");
  EXPECT_THAT(t.where(1), HasSubstr("a.csv:4"));
}

TEST_F(TableTest, JsonLines) {
  const Table t =
      table("a.jsonl", "{\"text\": \"a\", \"label\": 1.50}\n\n{\"label\": [\"x\", 2, true], \"more\": {}}\n");
  ASSERT_EQ(t.rows(), 2u);
  EXPECT_EQ(t.cell(0, t.column({"label"})), "1.5");
  EXPECT_THAT(t.list(1, t.column({"label"})), ElementsAre("x", "2", "true"));
  EXPECT_TRUE(t.is_list(1, t.column({"label"})));
  EXPECT_FALSE(t.has(1, t.column({"text"})));
  EXPECT_FALSE(t.has(0, t.column({"more"})));
  EXPECT_THROW(t.cell(1, t.column({"text"})), DataError);
  EXPECT_THROW(t.cell(1, t.column({"more"})), DataError);
  EXPECT_THROW(t.cell(1, t.column({"label"})), DataError);
  EXPECT_EQ(t.find({"nothing"}), std::nullopt);
  EXPECT_THAT(t.numbers(1, t.column({"label"})), IsEmpty());
  const data::Table shared = table("b.jsonl", "{\"label\": {\"x\": 3, \"y\": 0.5}}\n{\"label\": {\"x\": \"3\"}}\n");
  EXPECT_THAT(shared.numbers(0, 0), UnorderedElementsAre(Pair("x", 3), Pair("y", 0.5)));
  EXPECT_THAT(shared.numbers(1, 0), IsEmpty());
  EXPECT_THROW(shared.cell(0, 0), DataError);
}

TEST_F(TableTest, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(reason("a.tsv", "text\tlabel\na\tb\nc\n"), HasSubstr("a.tsv:3: 1 columns, where the first row has 2"));
  EXPECT_THAT(reason("b.csv", "text,label\n\"a,b\n"), HasSubstr("b.csv:2: a quote is opened here and never closed"));
  EXPECT_THAT(reason("c.csv", "text,label\na\"b,c\n"), HasSubstr("c.csv:2: a quote in the middle"));
  EXPECT_THAT(reason("d.csv", "text,label\n\"a\"b,c\n"), HasSubstr("d.csv:2: text behind a closing quote"));
  EXPECT_THAT(reason("e.jsonl", "{\"label\": 1}\n{\"label\"\n"), HasSubstr("e.jsonl:2"));
  EXPECT_THAT(reason("f.jsonl", "{\"label\": 1}\n[1]\n"), HasSubstr("f.jsonl:2: a JSON object is expected"));
  EXPECT_THAT(reason("g.jsonl", "{\"label\": 1}\n{\"x\": 1}\n"), HasSubstr("g.jsonl:2: there is no \"label\""));
  EXPECT_THAT(reason("h.tsv", "a\tb\n1\t2\n"), HasSubstr("no column is called label; there are: a, b"));
  EXPECT_THAT(reason("i.tsv", "text\tlabel\n\xff\t1\n"), HasSubstr("i.tsv:2: byte 1 (0xff) is not valid UTF-8"));
  EXPECT_THAT(reason("j.tsv", ""), HasSubstr("j.tsv: the file holds no rows"));
  EXPECT_THAT(reason("k.tsv", "text\tlabel\n"), HasSubstr("k.tsv: the file holds no rows"));
  EXPECT_THAT(reason("l.xml", "x"), HasSubstr(".tsv, .csv or .jsonl"));
  EXPECT_THAT(reason("n.tsv", "label\ttext\tlabel\n1\ta\t0\n"),
              HasSubstr("n.tsv:1: two columns have the name \"label\""));
  EXPECT_THAT(reason("o.tsv", "label\t\t\n1\t\t\n"), "no error");  // nameless ones
  EXPECT_THAT(reason("m.tsv", "label\n1\n"), "no error");
}

TEST_F(TableTest, SharedData) {
  HEED_NEEDS_SHARED("data/sst2");
  const Table sst2 = Table::read(heed::testing::shared_path("data/sst2/train.tsv.gz"));
  EXPECT_EQ(sst2.rows(), 6920u);
  const Table first = Table::read(heed::testing::shared_path("data/sst2/dev.tsv.gz"), {.max_rows = 10});
  EXPECT_EQ(first.rows(), 10u);
}

}  // namespace
}  // namespace heed::data
