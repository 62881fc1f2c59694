// Feeds the bodies of a webhook format to a library of the service that reads it.
//
//     accept.cjs FORMAT < bodies.json
//
// Fails unless the library accepts each body and loses no member.
const assert = require("node:assert");
const fs = require("node:fs");

const formats = {
  discord(body) {
    const { EmbedBuilder, embedLength } = require("@discordjs/builders");
    assert.ok(body.embeds.length <= 10);
    for (const embed of body.embeds) {
      // The builder's setters check lengths and types.
      const built = new EmbedBuilder()
        .setTitle(embed.title)
        .setDescription(embed.description)
        .setColor(embed.color)
        .setTimestamp(new Date(embed.timestamp))
        .setFooter(embed.footer);
      const made = built.toJSON();
      assert.deepStrictEqual(Object.keys(made).sort(), Object.keys(embed).sort());
      assert.strictEqual(made.description, embed.description);
      // Discord's limit for all texts of a message together.
      assert.ok(embedLength(made) <= 6000, `${embedLength(made)} characters`);
    }
  },

  teams(body) {
    const { AdaptiveCard, SerializationContext } = require("adaptivecards/dist/adaptivecards.js");
    for (const { contentType, content } of body.attachments) {
      assert.strictEqual(contentType, "application/vnd.microsoft.card.adaptive");
      const card = new AdaptiveCard();
      const context = new SerializationContext();
      card.parse(content, context);
      const events = Array.from({ length: context.eventCount }, (_, i) => context.getEventAt(i));
      assert.deepStrictEqual(events.map((event) => event.message), []);
      const problems = card.validateProperties();
      assert.deepStrictEqual(problems.validationEvents.map((event) => event.message), []);
      const kept = card.toJSON();
      assert.strictEqual(kept.body.length, content.body.length);
      kept.body.forEach((block, i) => {
        assert.strictEqual(block.type, content.body[i].type);
        assert.strictEqual(block.inlines[0].text, content.body[i].inlines[0].text);
      });
    }
  },
};

for (const body of JSON.parse(fs.readFileSync(0, "utf8"))) {
  formats[process.argv[2]](body);
}
